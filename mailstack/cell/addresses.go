package cell

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/store"
)

const (
	writeDirectoryTimeout = 30 * time.Second // for a gateway to accept one update
	mechanismsEvery       = 5 * time.Second  // looks whether what agents are offered has changed
)

// addresses tells gateways which addresses of the shared domain live here, and which of all are open. All streams share the
// sorted lists; each remembers the lists it sent last and sends the difference to the next.
type addresses struct {
	store  *store.Store
	domain string
	log    *slog.Logger

	mechanisms func(context.Context) []string // to offer to agents; gateways are told along with the addresses

	mu      sync.Mutex
	current lists
	changed <-chan struct{} // closed when current is out of date
}

// lists are sorted addresses. They are never changed.
type lists struct {
	shared []string // of the shared domain
	open   []string // see link.DirectoryUpdate
}

// snapshot returns the addresses, and a channel that is closed when they may have changed.
func (a *addresses) snapshot(ctx context.Context) (lists, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.changed != nil {
		select {
		case <-a.changed:
		default:
			return a.current, a.changed, nil
		}
	}
	changed := a.store.AccountsChanged() // before the accounts are read: no change is missed
	var next lists
	err := a.store.Accounts(ctx, func(account store.Account) error {
		if account.Disabled {
			return nil
		}
		if a.domain != "" && strings.EqualFold(directory.DomainOf(account.Address), a.domain) {
			next.shared = append(next.shared, account.Address)
		}
		if account.Ample() {
			next.open = append(next.open, account.Address)
		}
		return nil
	})
	if err != nil {
		return lists{}, nil, fmt.Errorf("cannot list addresses: %w", err)
	}
	slices.Sort(next.shared)
	slices.Sort(next.open)
	a.current, a.changed = next, changed
	return a.current, a.changed, nil
}

// serve sends the addresses on a stream, and then every change, until the stream ends or ctx is done.
func (a *addresses) serve(ctx context.Context, st *link.Stream) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the gateway sends nothing: a read ends when the stream does
		var b [1]byte
		_, _ = st.Read(b[:])
		cancel()
	}()
	offered := a.mechanisms(ctx)
	sent, changed, err := a.snapshot(ctx)
	if err == nil {
		err = sendUpdates(st, lists{}, sent, offered)
	}
	ticker := time.NewTicker(mechanismsEvery)
	defer ticker.Stop()
	for err == nil {
		select {
		case <-changed:
		case <-ticker.C:
			if now := a.mechanisms(ctx); !slices.Equal(now, offered) {
				offered, err = now, send(st, link.DirectoryUpdate{Mechanisms: now})
			}
			continue
		case <-ctx.Done():
			return
		}
		var next lists
		if next, changed, err = a.snapshot(ctx); err == nil {
			err = sendUpdates(st, sent, next, nil)
			sent = next
		}
	}
	if ctx.Err() == nil {
		a.log.Warn("directory stream ended", "error", err)
	}
}

// sendUpdates writes updates of bounded size, by which old becomes next. A first snapshot, with mechanisms, begins with Reset and
// ends with Sync, even when it is empty.
func sendUpdates(st *link.Stream, old, next lists, mechanisms []string) error {
	first := mechanisms != nil
	update := link.DirectoryUpdate{Reset: first, Mechanisms: mechanisms}
	room := link.MaxDirectoryChunk
	var added, removed, open, shut []string
	added, removed = difference(old.shared, next.shared)
	open, shut = difference(old.open, next.open)
	take := func(from *[]string) (taken []string) {
		n := min(len(*from), room)
		taken, *from = (*from)[:n], (*from)[n:]
		room -= n
		return taken
	}
	for left := len(added) + len(removed) + len(open) + len(shut); first || left > 0; {
		update.Shut, update.Remove, update.Add, update.Open = take(&shut), take(&removed), take(&added), take(&open)
		left -= link.MaxDirectoryChunk - room
		if first && left == 0 {
			update.Sync, first = true, false
		}
		if err := send(st, update); err != nil {
			return err
		}
		update, room = link.DirectoryUpdate{}, link.MaxDirectoryChunk
	}
	return nil
}

func send(st *link.Stream, update link.DirectoryUpdate) error {
	_ = st.SetWriteDeadline(time.Now().Add(writeDirectoryTimeout))
	return link.WriteFrame(st, update)
}

// difference compares sorted lists.
func difference(old, next []string) (added, removed []string) {
	for len(old) > 0 || len(next) > 0 {
		switch {
		case len(old) == 0 || len(next) > 0 && next[0] < old[0]:
			added, next = append(added, next[0]), next[1:]
		case len(next) == 0 || old[0] < next[0]:
			removed, old = append(removed, old[0]), old[1:]
		default:
			old, next = old[1:], next[1:]
		}
	}
	return added, removed
}
