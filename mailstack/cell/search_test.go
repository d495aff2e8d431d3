package cell

import (
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// What comes to an account and goes from it is told; what moves within it is not told to have gone.
func TestSearchedChanges(t *testing.T) {
	ctx := t.Context()
	st, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const address = "afi@finances.gouv.tg"
	if _, err := st.ReconcileAccounts(ctx, []store.AccountSpec{{Address: address}}, "1"); err != nil {
		t.Fatal(err)
	}
	account, err := st.Account(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var came, gone []int64
	source := searched{st}
	cancel := source.Watch(int64(account.ID), func(c, g []int64) {
		mu.Lock()
		defer mu.Unlock()
		came, gone = append(came, c...), append(gone, g...)
	})
	expect := func(what string, wantCame, wantGone int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(came) != wantCame || len(gone) != wantGone {
			t.Errorf("%s: came %v, gone %v", what, came, gone)
		}
	}
	for range 2 {
		if _, err := st.Deliver(ctx, store.Delivery{Raw: []byte("Subject: x\r\n\r\ntext"), Local: []store.Recipient{{Account: account.ID, Flags: []imap.Flag{imap.FlagDeleted}}}}); err != nil {
			t.Fatal(err)
		}
	}
	expect("delivery", 2, 0)
	if raw, err := source.ReadContent(ctx, came[0]); err != nil || string(raw) != "Subject: x\r\n\r\ntext" {
		t.Errorf("content %q, %v", raw, err)
	}
	boxes, err := st.Mailboxes(ctx, account.ID)
	if err != nil {
		t.Fatal(err)
	}
	inbox := boxes[slices.IndexFunc(boxes, func(m store.Mailbox) bool { return m.Name == "INBOX" })].ID
	other := boxes[slices.IndexFunc(boxes, func(m store.Mailbox) bool { return m.Name != "INBOX" })].ID
	if _, _, _, err := st.Copy(ctx, inbox, []imap.UID{1}, other, 0, nil); err != nil {
		t.Fatal(err)
	}
	expect("copy", 3, 0)
	if _, _, _, err := st.Move(ctx, inbox, []imap.UID{2}, other, 0, nil); err != nil {
		t.Fatal(err)
	}
	expect("move", 4, 0)
	if _, err := st.Expunge(ctx, inbox, []imap.UID{1}, nil); err != nil {
		t.Fatal(err)
	}
	expect("expunge", 4, 1)
	cancel()
}
