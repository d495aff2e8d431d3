package cell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/store"
)

const other = "kofi.lawson@finances.gouv.tg"

// fillAccount gives an account mailboxes and messages of all kinds.
func (c *testCell) fillAccount(r *rand.Rand, address string) {
	c.t.Helper()
	ctx := c.t.Context()
	a, err := c.store.Account(ctx, address)
	if err != nil {
		c.t.Fatal(err)
	}
	names := []string{"INBOX", "Sent", "Projets/2026/Été", "..", "a/../b", "x.eml", `back\slash`, "~", "字幕 🙂", "& more", "Old Sent", "INBOX/below"}
	for _, name := range names {
		use := imap.MailboxAttr("")
		if name == "Old Sent" {
			use = imap.MailboxAttrSent
		}
		if _, err := c.store.CreateMailbox(ctx, a.ID, name, use, nil); err != nil && !errors.Is(err, store.ErrMailboxExists) {
			c.t.Fatal(err)
		}
		box, err := c.store.Mailbox(ctx, a.ID, name)
		if err != nil {
			c.t.Fatal(err)
		}
		on := r.IntN(2) == 0 || name == "INBOX" || name == "Sent" // every account subscribes to these, and import takes nothing away
		if err := c.store.SetSubscription(ctx, a.ID, name, on, nil); err != nil {
			c.t.Fatal(err)
		}
		if r.IntN(2) == 0 {
			note := []store.MetadataEntry{{Name: "/private/comment", Value: []byte{0, 1, 255}}, {Name: "/shared/comment", Value: []byte{}}}
			if err := c.store.SetMetadata(ctx, a.ID, box.ID, note, nil); err != nil {
				c.t.Fatal(err)
			}
		}
		var list []store.ImportMessage
		for n := range r.IntN(6) {
			m := store.ImportMessage{
				Mailbox: name, Raw: fmt.Appendf(nil, "From: Afi <afi@gouv.tg>\r\nSubject: =?utf-8?q?Message_%d_=C3=A9?=\r\n\r\n%s\r\n", n, strings.Repeat("text ", r.IntN(3000))),
				Date: time.UnixMilli(r.Int64N(4e12) - 1e12).In(time.FixedZone("", 60*(r.IntN(1440)-720))), Saved: time.UnixMilli(r.Int64N(2e12)),
			}
			for _, f := range []imap.Flag{`\Seen`, `\Answered`, `\Deleted`, `\Flagged`, `\Draft`, "$Forwarded", "work", "a]b"} {
				if r.IntN(3) == 0 {
					m.Flags = append(m.Flags, f)
				}
			}
			list = append(list, m)
			if r.IntN(3) == 0 {
				list = append(list, m) // a twin
			}
		}
		if _, err := c.store.Import(ctx, a.ID, list, nil); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := c.store.SetSubscription(ctx, a.ID, "Gone", true, nil); err != nil {
		c.t.Fatal(err)
	}
	if err := c.store.SetMetadata(ctx, a.ID, 0, []store.MetadataEntry{{Name: "/private/vendor/x", Value: []byte("y")}}, nil); err != nil {
		c.t.Fatal(err)
	}
}

// export returns an account's archive, and its items without what differs between accounts.
func (c *testCell) export(address, mailbox string) ([]byte, []archive.Item) {
	c.t.Helper()
	var b bytes.Buffer
	if err := c.admin.Export(c.t.Context(), address, mailbox, &b); err != nil {
		c.t.Fatal(err)
	}
	var items []archive.Item
	for r := archive.NewTarReader(bytes.NewReader(b.Bytes())); ; {
		i, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.Bytes(), items
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if h, ok := i.(*archive.Header); ok {
			h.Address, h.Made = "", time.Time{}
		}
		items = append(items, i)
	}
}

// importAll counts the states of what was imported.
func (c *testCell) importAll(address string, r archive.Reader) map[string]int {
	c.t.Helper()
	states := map[string]int{}
	err := c.admin.Import(c.t.Context(), address, archive.Number(r), func(result admin.ImportResult) error {
		for _, m := range result.Messages {
			states[m.State]++
		}
		for _, refused := range result.Refused {
			c.t.Errorf("%+v", refused)
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return states
}

// TestExportImport takes an account through an archive into another one, which is then the same.
func TestExportImport(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	for seed := range uint64(4) {
		from, to := fmt.Sprintf("from%d@finances.gouv.tg", seed), fmt.Sprintf("to%d@finances.gouv.tg", seed)
		c.accounts(from, to)
		c.fillAccount(rand.New(rand.NewPCG(seed, 0)), from)
		tar, want := c.export(from, "")
		total := want[len(want)-1].(*archive.Summary)

		if got := c.importAll(to, archive.NewTarReader(bytes.NewReader(tar))); got[admin.Stored] != total.Messages || len(got) > 1 {
			t.Errorf("imported %v, want %d stored", got, total.Messages)
		}
		if _, got := c.export(to, ""); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: found %s\nwant %s", seed, describe(got), describe(want))
		}
		// Once more into both: nothing is doubled.
		for _, address := range []string{from, to} {
			got := c.importAll(address, archive.NewTarReader(bytes.NewReader(tar)))
			if got[admin.Stored] != 0 || got[admin.Known]+got[admin.Present] != total.Messages {
				t.Errorf("%s again: %v", address, got)
			}
			if _, got := c.export(address, ""); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: %s has changed", seed, address)
			}
		}
	}
}

func describe(items []archive.Item) string {
	var b strings.Builder
	for _, i := range items {
		if m, ok := i.(*archive.Message); ok {
			fmt.Fprintf(&b, "\n  %d bytes %v %v %v", len(m.Raw), m.Flags, m.Date, m.Saved)
		} else {
			fmt.Fprintf(&b, "\n%+v", i)
		}
	}
	return b.String()
}

// TestExportForOthers takes an account through the formats of other programs: what they can hold arrives.
func TestExportForOthers(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent, "tar@gouv.tg", "mbox@gouv.tg", "maildir@gouv.tg", "eml@gouv.tg")
	c.fillAccount(rand.New(rand.NewPCG(7, 7)), agent)
	tar, _ := c.export(agent, "")
	for _, format := range []archive.Format{archive.Tar, archive.Mbox, archive.Maildir, archive.EML} {
		t.Run(string(format), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "out")
			w, err := archive.Create(name, format)
			if err != nil {
				t.Fatal(err)
			}
			total, err := archive.Copy(t.Context(), w, archive.NewTarReader(bytes.NewReader(tar)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for round, state := range []string{admin.Stored, ""} {
				r, err := archive.Open(name, "")
				if err != nil {
					t.Fatal(err)
				}
				got := c.importAll(string(format)+"@gouv.tg", archive.Under(r, "Old"))
				r.Close()
				if state != "" && got[state] != total.Messages || got[admin.Refused] > 0 || state == "" && got[admin.Stored] > 0 {
					t.Errorf("round %d: %v, want %d", round, got, total.Messages)
				}
			}
			d, err := c.admin.Describe(t.Context(), string(format)+"@gouv.tg")
			if err != nil || d.Messages != int64(total.Messages) {
				t.Errorf("%+v, %v; want %d messages", d, err, total.Messages)
			}
		})
	}
}

func TestExportOneMailbox(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	c.fillAccount(rand.New(rand.NewPCG(1, 2)), agent)
	_, items := c.export(agent, "Projets")
	var names []string
	for _, i := range items {
		switch i := i.(type) {
		case *archive.Header:
			if slices.Contains(i.Subscriptions, "INBOX") || slices.Contains(i.Subscriptions, "Gone") || len(i.Annotations) > 0 {
				t.Errorf("header of a part: %+v", i)
			}
		case *archive.Mailbox:
			names = append(names, i.Name)
		}
	}
	if want := []string{"Projets", "Projets/2026", "Projets/2026/Été"}; !slices.Equal(names, want) {
		t.Errorf("exported %q, want %q", names, want)
	}
	for _, tt := range []struct{ address, mailbox, want string }{
		{agent, "None", `mailbox: found "None"`}, {"nobody@gouv.tg", "", "no such account"}, {"nobody", "", "address"},
	} {
		if err := c.admin.Export(t.Context(), tt.address, tt.mailbox, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt, err)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	if _, err := c.admin.PutAccounts(t.Context(), []admin.Account{{Address: agent, QuotaBytes: 1000}}); err != nil {
		t.Fatal(err)
	}
	message := func(mailbox string, size int, flags ...imap.Flag) *archive.Message {
		return &archive.Message{Mailbox: mailbox, Raw: bytes.Repeat([]byte("x"), size), Flags: flags, Date: time.Unix(1, 0)}
	}
	var got admin.ImportResult
	err := c.admin.Import(t.Context(), agent, &itemReader{
		&archive.Mailbox{Name: "100%"}, message("100%", 1), message("INBOX", 600), message("INBOX", 601), message("INBOX", 2, `\Unknown`),
		&archive.Mailbox{Name: "Notes", Annotations: []archive.Annotation{{Name: "comment"}}}, message("Notes", 4),
	}, func(r admin.ImportResult) error { got = r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ state, text string }{
		{admin.Refused, "contains a control character"}, {admin.Stored, ""}, {admin.Refused, "quota"}, {admin.Refused, "flag"}, {admin.Stored, ""},
	} {
		if m := got.Messages[i]; m.State != want.state || !strings.Contains(m.Error, want.text) {
			t.Errorf("message %d: %+v", i, m)
		}
	}
	if len(got.Refused) != 2 || got.Refused[0].Mailbox != "100%" || got.Refused[1].Mailbox != "Notes" {
		t.Errorf("refused %+v", got.Refused)
	}
	if err := c.admin.Import(t.Context(), "nobody@gouv.tg", &itemReader{message("INBOX", 1)}, nil); !errors.Is(err, admin.ErrNoAccount) {
		t.Errorf("nobody: %v", err)
	}
}

type itemReader []archive.Item

func (r *itemReader) Next() (archive.Item, error) {
	if len(*r) == 0 {
		return nil, io.EOF
	}
	i := (*r)[0]
	*r = (*r)[1:]
	return i, nil
}

// TestImportInBatches: order stays over many batches.
func TestImportInBatches(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	var items itemReader
	for n := range 1200 {
		items = append(items, &archive.Message{Mailbox: "INBOX", Raw: fmt.Appendf(nil, "Subject: %d\r\n\r\n", n), Date: time.Unix(1, 0)})
	}
	batches := 0
	err := c.admin.Import(t.Context(), agent, &items, func(r admin.ImportResult) error { batches++; return nil })
	if err != nil || batches != 3 {
		t.Fatal(batches, err)
	}
	for n, text := range c.inbox(agent) {
		if want := fmt.Sprintf("Subject: %d\r\n\r\n", n); text != want {
			t.Fatalf("message %d is %q", n, text)
		}
	}
}

// TestImportStops: a caller that stops has stored whole batches only, and can go on.
func TestImportStops(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	all := func() *itemReader {
		var items itemReader
		for n := range 1000 {
			items = append(items, &archive.Message{Mailbox: "INBOX", Raw: fmt.Appendf(nil, "Subject: %d\r\n\r\n", n), Date: time.Unix(1, 0)})
		}
		return &items
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.admin.Import(ctx, agent, all(), func(admin.ImportResult) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := len(c.inbox(agent)); n != 500 {
		t.Errorf("%d messages after the first batch, want 500", n)
	}
	if got := c.importAll(agent, all()); got[admin.Stored] != 500 || got[admin.Present]+got[admin.Known] != 500 {
		t.Errorf("%v", got)
	}
}
