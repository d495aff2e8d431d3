package cell

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/migration/pull"
	"gouv.tg/messagerie/test/conformance/reference"
)

// fillDovecot gives a user of the other server mail of all kinds.
func fillDovecot(t *testing.T, d *reference.Server, user, password string, r *rand.Rand) (messages int) {
	t.Helper()
	c, err := imapclient.DialTLS(d.Addr, &imapclient.Options{TLSConfig: dovecotTLS(d)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(user, password).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"INBOX", "Sent", "Projets", "Projets/Été 2026", "a.b", "& more"} {
		_ = c.Create(name, nil).Wait() // some are there
		for n := range 1 + r.IntN(40) {
			from, to := "else@else.tg", user
			if name == "Sent" {
				from, to = to, from
			}
			raw := fmt.Sprintf("From: %s\r\nTo: %s\r\nDelivered-To: %s\r\nSubject: %d\r\n\r\n%s\r\n", from, to, to, n, strings.Repeat("text é ", r.IntN(8000)))
			var flags []imap.Flag
			for _, f := range []imap.Flag{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "$Forwarded", "Work"} {
				if r.IntN(3) == 0 {
					flags = append(flags, f)
				}
			}
			for range 1 + r.IntN(2) { // twins
				date := time.Unix(1_500_000_000+r.Int64N(2e8), 0).In(time.FixedZone("", 3600*(r.IntN(24)-12)))
				cmd := c.Append(name, int64(len(raw)), &imap.AppendOptions{Flags: flags, Time: date})
				if _, err := cmd.Write([]byte(raw)); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				messages++
			}
		}
	}
	if err := c.Subscribe("Projets/Été 2026").Wait(); err != nil {
		t.Fatal(err)
	}
	return messages
}

func dovecotTLS(d *reference.Server) *tls.Config {
	config := d.TLS.Clone()
	config.ServerName = "127.0.0.2"
	return config
}

// TestPullFromDovecot copies two accounts from another server, one of which shares a mailbox with the other.
func TestPullFromDovecot(t *testing.T) {
	d := reference.Dovecot(t)
	messages := map[string]int{}
	r := rand.New(rand.NewPCG(1, 1))
	for user, password := range map[string]string{d.User: d.Password, d.User2: d.Password2} {
		messages[user] = fillDovecot(t, d, user, password, r)
	}
	share(t, d)

	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	const afi, kofi = "afi@finances.gouv.tg", "kofi@finances.gouv.tg"
	c.accounts(afi, kofi)
	o := pull.Options{
		Source: d.Addr, TLS: dovecotTLS(d), Concurrency: 2, State: t.TempDir(),
		Locate: func(address string) pull.Cell {
			if address == afi || address == kofi {
				return c.admin
			}
			return nil
		},
	}
	rows := []pull.Row{
		{User: d.User, Password: pull.Secret(d.Password), Address: afi, Line: 2},
		{User: d.User2, Password: pull.Secret(d.Password2), Address: kofi, Line: 3},
	}
	for round := range 2 {
		plan, err := pull.Gather(t.Context(), o, rows)
		if err != nil || plan.Code == "" {
			t.Fatalf("%+v, %v", plan, err)
		}
		for _, e := range plan.Evidence {
			if e.Verdict != pull.Agrees || e.Sent.Messages == 0 || e.Inbox.Ours != e.Inbox.Messages {
				t.Errorf("%+v", e)
			}
		}
		proof, err := pull.Run(t.Context(), o, rows, plan.Code)
		if err != nil || !proof.Agree || proof.Totals.Messages != messages[d.User]+messages[d.User2] {
			t.Fatalf("round %d: %+v, %v; want %v messages", round, proof, err, messages)
		}
	}
	for user, address := range map[string]string{d.User: afi, d.User2: kofi} {
		_, items := c.export(address, "")
		var names []string
		total := 0
		for _, i := range items {
			switch i := i.(type) {
			case *archive.Header:
				if !slices.Contains(i.Subscriptions, "Projets/Été 2026") {
					t.Errorf("subscriptions: %q", i.Subscriptions)
				}
			case *archive.Mailbox:
				names = append(names, i.Name)
			case *archive.Message:
				total++
			}
		}
		want := []string{"& more", "Archive", "Drafts", "INBOX", "Junk", "Projets", "Projets/Été 2026", "Sent", "Trash", "a.b"}
		if !slices.Equal(names, want) || total != messages[user] {
			t.Errorf("%s has %q and %d messages, want %q and %d", address, names, total, want, messages[user])
		}
	}
}

// share lets the second user see the first one's Projets.
func share(t *testing.T, d *reference.Server) {
	t.Helper()
	c, err := imapclient.DialTLS(d.Addr, &imapclient.Options{TLSConfig: dovecotTLS(d)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(d.User, d.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	rights := imap.RightSet("lrs")
	if err := c.SetACL("Projets", imap.RightsIdentifier(d.User2), imap.RightModificationReplace, rights).Wait(); err != nil {
		t.Fatal(err)
	}
	other, err := imapclient.DialTLS(d.Addr, &imapclient.Options{TLSConfig: dovecotTLS(d)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Login(d.User2, d.Password2).Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := other.List("", "*", nil).Collect()
	if err != nil || !slices.ContainsFunc(list, func(l *imap.ListData) bool { return strings.HasPrefix(l.Mailbox, "shared/") }) {
		t.Fatalf("the mailbox is not shared: %v", err)
	}
}
