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

// addresses tells gateways which addresses of the shared domain live here. All streams share one sorted list; each
// remembers the list it sent last and sends the difference to the next.
type addresses struct {
	store  *store.Store
	domain string
	log    *slog.Logger

	mechanisms func(context.Context) []string // to offer to agents; gateways are told along with the addresses

	mu      sync.Mutex
	current []string
	changed <-chan struct{} // closed when current is out of date
}

// snapshot returns the sorted addresses, and a channel that is closed when they may have changed.
func (a *addresses) snapshot(ctx context.Context) ([]string, <-chan struct{}, error) {
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
	var list []string
	if a.domain != "" {
		err := a.store.Accounts(ctx, func(account store.Account) error {
			if !account.Disabled && strings.EqualFold(directory.DomainOf(account.Address), a.domain) {
				list = append(list, account.Address)
			}
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("cannot list addresses: %w", err)
		}
		slices.Sort(list)
	}
	a.current, a.changed = slices.Clip(list), changed
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
		err = sendUpdates(st, sent, nil, offered)
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
		var next []string
		if next, changed, err = a.snapshot(ctx); err == nil {
			added, removed := difference(sent, next)
			sent, err = next, sendUpdates(st, added, removed, nil)
		}
	}
	if ctx.Err() == nil {
		a.log.Warn("directory stream ended", "error", err)
	}
}

// sendUpdates writes updates of bounded size. A first snapshot, with mechanisms, begins with Reset and ends with Sync, even when it is
// empty.
func sendUpdates(st *link.Stream, added, removed, mechanisms []string) error {
	first := mechanisms != nil
	reset := first
	for first || len(added) > 0 || len(removed) > 0 {
		n := min(len(added), link.MaxDirectoryChunk)
		m := min(len(removed), link.MaxDirectoryChunk-n)
		update := link.DirectoryUpdate{Reset: reset, Add: added[:n], Remove: removed[:m]}
		if reset {
			update.Mechanisms = mechanisms
		}
		added, removed, reset = added[n:], removed[m:], false
		if first && len(added) == 0 {
			update.Sync, first = true, false
		}
		if err := send(st, update); err != nil {
			return err
		}
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
