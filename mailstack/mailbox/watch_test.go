package mailbox_test

import (
	"testing"

	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// A view is woken by what it watches, and learns of changes of rights whether it watches or not.
func TestWatch(t *testing.T) {
	b := newBed(t)
	woken := 0 // on the store's writer's goroutine, before a change returns
	v, err := mailbox.NewRegistry(b.store, 0).Open(t.Context(), b.inbox.ID, false, func() { woken++ })
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	rights := store.RightLookup
	for _, tt := range []struct {
		on               mailbox.Watch
		messages, rights int
	}{
		{mailbox.WatchNothing, 0, 0},
		{mailbox.WatchRights, 0, 1},
		{mailbox.WatchAll, 1, 1},
		{mailbox.WatchNothing, 0, 0},
	} {
		v.Watch(tt.on)
		woken = 0
		b.append(1)
		if woken != tt.messages || v.RightsChanged() {
			t.Errorf("watch %d: woken %d times by a message", tt.on, woken)
		}
		woken = 0
		rights = rights<<1 | 1
		if err := b.store.SetACL(t.Context(), b.inbox.ID, "anyone", rights, nil); err != nil {
			t.Fatal(err)
		}
		if woken != tt.rights || !v.RightsChanged() || v.RightsChanged() {
			t.Errorf("watch %d: woken %d times by a change of rights", tt.on, woken)
		}
	}
}
