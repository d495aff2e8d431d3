package pull

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Proof says what was copied and whether it is the same. Its file has besides, for each mailbox, the messages.
type Proof struct {
	Version  int            `json:"version"`
	Source   string         `json:"source"`
	Code     string         `json:"code"` // that confirmed the mapping
	Begun    time.Time      `json:"begun"`
	Ended    time.Time      `json:"ended"`
	Agree    bool           `json:"agree"` // everything is here, and the same
	Totals   Totals         `json:"totals"`
	Accounts []AccountProof `json:"accounts"`
	File     string         `json:"-"`
}

// Totals are sums over accounts.
type Totals struct {
	Accounts  int   `json:"accounts"`
	Disagree  int   `json:"disagree"` // accounts
	Mailboxes int   `json:"mailboxes"`
	Messages  int   `json:"messages"` // copied and verified
	Bytes     int64 `json:"bytes"`
	Problems  int   `json:"problems"`
}

// AccountProof is about one account.
type AccountProof struct {
	User      string         `json:"user"`
	Address   string         `json:"address"`
	Agree     bool           `json:"agree"`
	Problems  []string       `json:"problems,omitempty"`
	Mailboxes []MailboxProof `json:"mailboxes"`
}

// MailboxProof is about one mailbox.
type MailboxProof struct {
	Mailbox     string   `json:"mailbox"` // of the source
	UIDValidity uint32   `json:"uidValidity"`
	Target      string   `json:"target"`   // here
	Present     int      `json:"present"`  // messages that the source has now
	Missing     int      `json:"missing"`  // of them, not copied
	Copied      int      `json:"copied"`   // also those that the source has no more
	Verified    int      `json:"verified"` // of them: bytes, date and flags are the same here
	Bytes       int64    `json:"bytes"`
	Problems    []string `json:"problems,omitempty"`
}

func (m *MailboxProof) agrees() bool {
	return m.Missing == 0 && m.Verified == m.Copied && len(m.Problems) == 0
}

// MessageProof maps a message of the source to the one here.
type MessageProof struct {
	UID      uint32    `json:"uid"` // at the source
	To       uint32    `json:"to"`  // here
	SHA256   string    `json:"sha256"`
	Size     int64     `json:"size"`
	Date     time.Time `json:"date"`
	Flags    string    `json:"flags,omitempty"`
	Verified time.Time `json:"verified,omitzero"`
}

// proof sums up what the state has.
func (a *account) proof() AccountProof {
	p := AccountProof{User: a.row.Identity(), Address: a.row.Address, Problems: a.problems[""], Mailboxes: []MailboxProof{}}
	if a.state == nil {
		return p
	}
	for _, name := range a.state.order {
		b := a.state.boxes[name]
		m := MailboxProof{
			Mailbox: name, UIDValidity: b.uidValidity, Target: b.target, Present: a.present[name], Missing: a.missing[name],
			Copied: len(b.messages), Problems: a.problems[name],
		}
		for _, c := range b.messages {
			m.Bytes += c.size
			if !c.checked.IsZero() {
				m.Verified++
			}
		}
		p.Mailboxes = append(p.Mailboxes, m)
	}
	return p
}

func (p *Proof) finish() {
	p.Ended, p.Agree = time.Now().UTC().Truncate(time.Second), true
	for _, a := range p.Accounts {
		p.Totals.Accounts++
		p.Totals.Problems += len(a.Problems)
		if !a.Agree {
			p.Totals.Disagree++
			p.Agree = false
		}
		for _, m := range a.Mailboxes {
			p.Totals.Mailboxes++
			p.Totals.Messages += m.Verified
			p.Totals.Bytes += m.Bytes
			p.Totals.Problems += len(m.Problems)
		}
	}
}

// write writes the proof with the messages of every mailbox, one account in memory at a time.
func (p *Proof) write(o *Options, rows []Row) error {
	p.File = filepath.Join(o.State, "proof-"+p.Ended.Format("20060102T150405Z")+".json")
	f, err := os.OpenFile(p.File+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the proof: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 256<<10)
	err = p.encode(w, o, rows)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), p.File)
	}
	if err != nil {
		return fmt.Errorf("cannot write the proof: %w", err)
	}
	return nil
}

// encode writes the head without its end, and the accounts one by one.
func (p *Proof) encode(w io.Writer, o *Options, rows []Row) error {
	head := *p
	head.Accounts = nil
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	const end = `"accounts":null}`
	if _, err := fmt.Fprintf(w, "%s\"accounts\":[", text[:len(text)-len(end)]); err != nil {
		return err
	}
	for i := range p.Accounts {
		if i > 0 {
			if _, err := io.WriteString(w, ","); err != nil {
				return err
			}
		}
		if err := p.Accounts[i].encode(w, o, &rows[i]); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}

// encode writes an account with the messages that its state has.
func (a *AccountProof) encode(w io.Writer, o *Options, row *Row) error {
	type mailbox struct {
		MailboxProof
		Messages []MessageProof `json:"messages"`
	}
	type full struct {
		AccountProof
		Mailboxes []mailbox `json:"mailboxes"`
	}
	out := full{AccountProof: *a, Mailboxes: []mailbox{}}
	if len(a.Mailboxes) > 0 {
		s, err := openState(o.State, o.Source, row)
		if err != nil {
			return err
		}
		defer s.close()
		for _, m := range a.Mailboxes {
			b := s.boxes[m.Mailbox]
			if b == nil {
				return fmt.Errorf("state of %s: found no mailbox %q", row.Identity(), m.Mailbox)
			}
			out.Mailboxes = append(out.Mailboxes, mailbox{m, b.proof()})
		}
	}
	return json.NewEncoder(w).Encode(out)
}

func (b *boxState) proof() []MessageProof {
	list := make([]MessageProof, 0, len(b.messages))
	for _, uid := range slices.Sorted(maps.Keys(b.messages)) {
		m := b.messages[uid]
		list = append(list, MessageProof{
			UID: uid, To: m.to, SHA256: hex.EncodeToString(m.hash[:]), Size: m.size, Date: m.date, Flags: m.flags, Verified: m.checked,
		})
	}
	return list
}
