package mailbox_test

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mailbox"
)

// TestDrop: indexes that were dropped are read again, and views see what they saw.
func TestDrop(t *testing.T) {
	b := newBed(t)
	b.append(5)
	r := mailbox.NewRegistry(b.store, 0)
	c := b.open(r)
	before := len(c.uids)
	r.Drop()
	if _, entries := r.Sizes(); entries != 0 {
		t.Errorf("%d entries in memory", entries)
	}
	b.append(2)
	b.expunge(3)
	c.sync(true)
	c.fetchAll()
	if want := []imap.UID{1, 2, 4, 5, 6, 7}; !slices.Equal(c.uids, want) {
		t.Errorf("the client knows %v, want %v", c.uids, want)
	}
	if before != 5 {
		t.Errorf("%d messages at first", before)
	}
}
