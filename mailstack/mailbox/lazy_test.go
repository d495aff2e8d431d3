package mailbox_test

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mailbox"
)

// TestLazy opens a mailbox without its index, asks what has changed, and goes on with it.
func TestLazy(t *testing.T) {
	b := newBed(t)
	b.append(20)
	box, err := b.store.MailboxByID(t.Context(), b.inbox.ID)
	if err != nil {
		t.Fatal(err)
	}
	since := box.HighestModSeq
	b.flag(imap.FlagSeen, 3, 4, 9)
	b.expunge(1, 5, 20)
	b.append(2)
	eager := b.open(mailbox.NewRegistry(b.store, 0))
	defer eager.view.Close()
	want, err := eager.view.ChangedSince(t.Context(), since)
	if err != nil || len(want) != 5 {
		t.Fatal(want, err)
	}
	r := mailbox.NewRegistry(b.store, 0)
	r.Lazy()
	v, err := r.Open(t.Context(), b.inbox.ID, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got, err := v.ChangedSince(t.Context(), since); err != nil || !slices.Equal(got, want) {
		t.Errorf("changed: %v, %v; want %v", got, err, want)
	}
	if n, err := v.FirstUnseen(t.Context()); n != 0 || err != nil {
		t.Errorf("first unseen: %d, %v", n, err)
	}
	b.append(1)
	if u, err := v.Sync(t.Context(), true); err != nil || u.Exists != 20 || len(u.Changed)+len(u.Expunged) > 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, entries := r.Sizes(); entries != 0 {
		t.Errorf("%d entries are in memory", entries)
	}
	b.flag("Word", 3)
	if u, err := v.Sync(t.Context(), true); err != nil || len(u.Changed) != 1 || u.Changed[0].Seq != 2 || !slices.Contains(u.Keywords, "Word") {
		t.Errorf("%+v, %v", u, err)
	}
	if n, err := v.FirstUnseen(t.Context()); n != 1 || err != nil {
		t.Errorf("first unseen: %d, %v", n, err)
	}
}
