package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func names(t testing.TB, s *Store, a AccountID) string {
	t.Helper()
	list, err := s.Mailboxes(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

const defaultNames = "Archive Drafts INBOX Junk Sent Trash"

func TestDefaultMailboxes(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 3, 0)
	if got := names(t, s, ids[0]); got != defaultNames {
		t.Errorf("mailboxes %q", got)
	}
	if m := mailbox(t, s, ids[1], "Sent"); m.SpecialUse != imap.MailboxAttrSent || !m.Subscribed || m.UIDNext != 1 || m.HighestModSeq == 0 {
		t.Errorf("%+v", m)
	}
	deliver(t, s, ids[2], "Junk", testMessage("x", 500))
	if got := names(t, s, ids[2]); got != defaultNames {
		t.Errorf("mailboxes %q", got)
	}
	if _, err := s.Mailboxes(ctx, 99); !errors.Is(err, ErrNoAccount) {
		t.Errorf("unknown account: %v", err)
	}
	if _, err := s.Mailbox(ctx, ids[0], "Nowhere"); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("unknown mailbox: %v", err)
	}
}

func TestCreateMailbox(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	tests := []struct {
		name string
		use  imap.MailboxAttr
		want string
		err  error
	}{
		{"Drafts", "", "", ErrMailboxExists}, // also as the very first operation of an account
		{"Projects/2026/Roads", "", "Projects/2026/Roads", nil},
		{"Projects/2026", "", "", ErrMailboxExists},
		{"Été/", "", "Été", nil},
		{"inbox", "", "", ErrMailboxExists},
		{"inbox/below", "", "INBOX/below", nil},
		{"Envoyés", imap.MailboxAttrSent, "Envoyés", nil},
		{"Everything", imap.MailboxAttrAll, "Everything", nil},
		{"", "", "", ErrMailboxName},
		{"/a", "", "", ErrMailboxName},
		{"a//b", "", "", ErrMailboxName},
		{"a%", "", "", ErrMailboxName},
		{"a\x01", "", "", ErrMailboxName},
		{"\xff", "", "", ErrMailboxName},
		{strings.Repeat("x", 1001), "", "", ErrMailboxName},
		{strings.Repeat("x/", 20) + "y", "", "", ErrMailboxName},
	}
	for _, tt := range tests {
		m, err := s.CreateMailbox(ctx, a, tt.name, tt.use, nil)
		if !errors.Is(err, tt.err) || m.Name != tt.want || m.SpecialUse != tt.use && tt.err == nil {
			t.Errorf("%q: %+v, %v", tt.name, m, err)
		}
		if err == nil && m != mailbox(t, s, a, tt.want) {
			t.Errorf("%q: %+v, but is %+v", tt.name, m, mailbox(t, s, a, tt.want))
		}
	}
	want := "Archive Drafts Envoyés Everything INBOX INBOX/below Junk Projects Projects/2026 Projects/2026/Roads Sent Trash Été"
	if got := names(t, s, a); got != want {
		t.Errorf("mailboxes %q", got)
	}
}

func TestDeleteMailbox(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	raw := testMessage("x", 500)
	fill(t, s, a, "Old/Letters", keepChunk+50)
	letters := mailbox(t, s, a, "Old/Letters")
	if _, _, err := s.SetFlags(ctx, letters.ID, []imap.UID{1, 2}, FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Expunge(ctx, letters.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, a, "", raw)
	w := listen(t, s, letters.ID)
	if err := s.DeleteMailbox(ctx, mailbox(t, s, a, "INBOX").ID, nil); !errors.Is(err, ErrMailboxInUse) {
		t.Error(err)
	}
	if err := s.DeleteMailbox(ctx, letters.ID, nil); err != nil {
		t.Fatal(err)
	}
	checkTest(t, s) // while the messages may still be there
	if events := <-w; len(events) != 1 || events[0].Kind != EventMailboxDeleted {
		t.Errorf("events %+v", events)
	}
	for name, err := range map[string]error{
		"delete": s.DeleteMailbox(ctx, letters.ID, nil),
		"index":  func() error { _, _, err := s.Index(ctx, letters.ID); return err }(),
		"append": second(s.Append(ctx, letters.ID, raw, nil, s.now(), nil)),
		"flags":  setFlags(s, letters.ID, []imap.UID{5}, FlagChange{Op: imap.StoreFlagsAdd}),
	} {
		if !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%s: %v", name, err)
		}
	}
	account, err := s.Account(ctx, specs(1)[0].Address)
	if err != nil || account.Messages != 1 || account.UsedBytes != int64(len(raw)) {
		t.Errorf("%+v, %v", account, err)
	}
	again, err := s.CreateMailbox(ctx, a, "Old/Letters", "", nil)
	if err != nil || again.ID == letters.ID || again.UIDValidity <= letters.UIDValidity {
		t.Errorf("%+v after %+v, %v", again, letters, err)
	}
	if err := s.sweepUp(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := s.has(ctx, "SELECT 1 FROM messages WHERE mailbox = ? UNION SELECT 1 FROM vanished UNION SELECT 1 FROM doomed", int64(letters.ID)); err != nil || left {
		t.Errorf("something is left: %v", err)
	}
}

func setFlags(s *Store, id MailboxID, uids []imap.UID, change FlagChange) error {
	_, _, err := s.SetFlags(context.Background(), id, uids, change, nil)
	return err
}

func second[T any](_ T, err error) error { return err }

func TestRenameMailbox(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	for _, name := range []string{"a/b/c", "a/bb", "ab"} {
		if _, err := s.CreateMailbox(ctx, a, name, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	raw := testMessage("x", 500)
	before := deliver(t, s, a, "a/b/c", raw)
	tests := []struct {
		from, to string
		err      error
	}{
		{"INBOX", "a", ErrMailboxExists},
		{"a", "a/b/x", ErrMailboxName},
		{"a", "ab", ErrMailboxExists},
		{"a", "Sent", ErrMailboxExists},
		{"a/b", "new/place", nil},
		{"Sent", "Envoyés", nil},
		{"ab", strings.Repeat("long/", 19) + "x", nil},
		{"new", strings.Repeat("deep/", 18) + "x", ErrMailboxName}, // its child would have too many levels
	}
	for _, tt := range tests {
		if err := s.RenameMailbox(ctx, mailbox(t, s, a, tt.from).ID, tt.to, nil); !errors.Is(err, tt.err) {
			t.Errorf("%s to %s: %v", tt.from, tt.to, err)
		}
	}
	if got := names(t, s, a); !strings.Contains(got, " a a/bb ") || !strings.Contains(got, " new new/place new/place/c") {
		t.Errorf("mailboxes %q", got)
	}
	after := deliver(t, s, a, "new/place/c", raw)
	if after.Mailbox != before.Mailbox || after.UIDValidity != before.UIDValidity || after.UID != before.UID+1 {
		t.Errorf("%+v, then %+v", before, after)
	}
	if m := mailbox(t, s, a, "Envoyés"); m.SpecialUse != imap.MailboxAttrSent {
		t.Errorf("%+v", m)
	}
	// The old name is free, and another mailbox.
	if m := deliver(t, s, a, "a/b/c", raw); m.Mailbox == before.Mailbox || m.UIDValidity <= after.UIDValidity {
		t.Errorf("%+v", m)
	}
}

func TestTooManyMailboxes(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		account, err := t.account(a)
		for i := 0; err == nil; i++ {
			if account.mailboxes == maxMailboxes {
				return nil
			}
			err = second(t.deliverTo(account, fmt.Sprintf("m%d", i)))
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateMailbox(ctx, a, "one/more", "", nil); !errors.Is(err, ErrTooManyBoxes) {
		t.Errorf("got %v", err)
	}
}

func TestRenameInbox(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	const n = changeChunk + 30
	inbox := bulk(t, s, a, "INBOX", n)
	if _, err := s.CreateMailbox(ctx, a, "INBOX/below", "", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.RenameMailbox(ctx, inbox.ID, "Old/2026", nil); err != nil {
		t.Fatal(err)
	}
	if got := names(t, s, a); got != "Archive Drafts INBOX INBOX/below Junk Old Old/2026 Sent Trash" {
		t.Errorf("mailboxes %q", got)
	}
	after, old := mailbox(t, s, a, "INBOX"), mailbox(t, s, a, "Old/2026")
	if after.ID != inbox.ID || after.UIDValidity != inbox.UIDValidity || after.Messages != 0 || after.UIDNext != n+1 {
		t.Errorf("INBOX %+v, was %+v", after, inbox)
	}
	if old.Messages != n || old.UIDValidity == inbox.UIDValidity || old.Size != inbox.Size {
		t.Errorf("renamed %+v, was %+v", old, inbox)
	}
	if p := deliver(t, s, a, "", []byte("x")); p.Mailbox != inbox.ID || p.UID != n+1 {
		t.Errorf("%+v", p)
	}
}

func TestSubscriptionsByName(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	steps := []struct {
		name string
		on   bool
		want string
	}{
		{"Trash", false, "Archive Drafts INBOX Junk Sent"},
		{"Trash", false, "Archive Drafts INBOX Junk Sent"},
		{"Not/Yet", true, "Archive Drafts INBOX Junk Not/Yet Sent"},
		{"inbox", false, "Archive Drafts Junk Not/Yet Sent"},
		{"Other Users/b@c.test/INBOX", true, "Archive Drafts Junk Not/Yet Other Users/b@c.test/INBOX Sent"},
		{"Archive", true, "Archive Drafts Junk Not/Yet Other Users/b@c.test/INBOX Sent"},
	}
	for _, step := range steps {
		if err := s.SetSubscription(ctx, a, step.name, step.on, nil); err != nil {
			t.Fatal(err)
		}
		list, err := s.Subscriptions(ctx, a)
		if got := strings.Join(list, " "); err != nil || got != step.want {
			t.Errorf("%s %v: %q, expected %q, %v", step.name, step.on, got, step.want, err)
		}
	}
	// It outlives the mailbox, and was there before it.
	m, err := s.CreateMailbox(ctx, a, "Not/Yet", "", nil)
	if err != nil || !m.Subscribed {
		t.Errorf("%+v, %v", m, err)
	}
	if err := s.DeleteMailbox(ctx, m.ID, nil); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Subscriptions(ctx, a); err != nil || !slices.Contains(list, "Not/Yet") {
		t.Errorf("%q, %v", list, err)
	}
	for name, err := range map[string]error{
		"name":         s.SetSubscription(ctx, a, "a//b", true, nil),
		"account":      s.SetSubscription(ctx, 99, "a", true, nil),
		"list account": second(s.Subscriptions(ctx, 99)),
	} {
		if !errors.Is(err, ErrMailboxName) && !errors.Is(err, ErrNoAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err = s.submit(ctx, &op{apply: func(t *tx) error {
		for i := range maxSubscriptions {
			if err := t.subscribe(a, fmt.Sprint("x", i), true, nil); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetSubscription(ctx, a, "one more", true, nil); !errors.Is(err, ErrTooManyBoxes) {
		t.Errorf("too many: %v", err)
	}
}
