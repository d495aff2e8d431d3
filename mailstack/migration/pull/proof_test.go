package pull

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/archive"
)

// full is a proof as its file has it.
type full struct {
	Proof
	Accounts []struct {
		AccountProof
		Mailboxes []struct {
			MailboxProof
			Messages []MessageProof `json:"messages"`
		} `json:"mailboxes"`
	} `json:"accounts"`
}

func readProof(t *testing.T, file string) (p full) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProofFindsDifferences: whatever a cell makes of a message, it is told.
func TestProofFindsDifferences(t *testing.T) {
	for name, spoil := range map[string]func(*archive.Message){
		"bytes":    func(m *archive.Message) { m.Raw = append(m.Raw, 'x') },
		"a bit":    func(m *archive.Message) { m.Raw[5] ^= 1 },
		"date":     func(m *archive.Message) { m.Date = m.Date.Add(time.Second) },
		"flags":    func(m *archive.Message) { m.Flags = append(m.Flags, imap.FlagDraft) },
		"no flags": func(m *archive.Message) { m.Flags = nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, "afi")
			o.fill("afi", afi, 4)
			c := newCell(afi)
			c.spoil = func(m *archive.Message) {
				if m.Mailbox == "INBOX" && strings.Contains(string(m.Raw), "Subject: 2\r\n") {
					spoil(m)
				}
			}
			p := confirm(t, options(t, o, c), []Row{row("afi", afi)})
			if p.Agree || p.Totals.Disagree != 1 || p.Totals.Problems != 1 || p.Totals.Messages != 7 {
				t.Errorf("%+v", p)
			}
			if proof := readProof(t, p.File); proof.Agree || proof.Accounts[0].Agree {
				t.Error("the file says that all agree")
			}
		})
	}
}
