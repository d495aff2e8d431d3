// Package mailbox holds open mailboxes, each once for all sessions that have it open.
//
// A Mailbox has an index of its messages in memory, brought up to date by what the store commits. A session looks at it
// through a View: the messages its client has been told of, with their sequence numbers (RFC 9051, 2.3.1.2), which only
// change when the session says so (Sync). A view is a few words: which changes the client has been told, by modification
// sequence (RFC 7162). So a hundred sessions of one mailbox share one index, and the index of a mailbox whose sessions
// all sleep can be dropped: what they miss is read again from the store, which remembers what vanished since.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// Errors that callers tell apart; the store's pass through.
var (
	// ErrGone: the mailbox was removed while it was open.
	ErrGone = errors.New("mailbox was removed")
	// ErrLost: more has changed since the client was last told than the store remembers.
	ErrLost = errors.New("mailbox has changed too much")
)

const (
	maxPending  = 4096 // entries that wait to be applied; more, and the index is dropped
	maxHistory  = 1024 // latest changes kept in order
	maxKeywords = 512  // remembered of one mailbox
)

// Mailbox is an open mailbox. Its index is either in memory or dropped (loaded is false).
type Mailbox struct {
	registry *Registry
	id       store.MailboxID
	used     atomic.Int64 // the registry's clock when it was last looked at

	inbox // what the store's writer has said and nobody has looked at yet

	mu         sync.Mutex
	views      map[*View]struct{}
	state      store.Mailbox // as of state.HighestModSeq
	grownSince uint64        // since this change messages were only added
	recent     imap.UID      // messages from this UID on are recent to the next session that selects the mailbox
	described  bool          // there is a state
	loaded     bool
	stale      bool          // without an index: state is not up to date either
	entries    []store.Entry // ascending by UID
	tombs      []tomb        // expunged, and some client does not know yet; ascending by UID
	history    []change      // ascending by modseq
	since      uint64        // history is complete for what is later than this
	keywords   []imap.Flag   // in the order in which they were first seen
}

// tomb is an expunged message that is still in the view of some client.
type tomb struct {
	uid   imap.UID
	gone  uint64       // modseq of its end
	entry *store.Entry // as it was last; nil if that is not known any more
}

// change says that the messages in a range of UIDs may have changed, none later than modseq.
type change struct {
	modseq uint64
	uids   imap.UIDRange
}

// inbox is filled on the store's writer's goroutine, which must not wait for those who look at the index.
type inbox struct {
	sync.Mutex
	events  []store.Event
	entries int // in events
	dropped bool
	removed bool
	rights  uint64 // how many times the rights on the mailbox have changed
	wakers  map[*View]waker
}

// waker is a view that waits for news.
type waker struct {
	wake func()
	on   Watch
}

// receive takes a commit's events and wakes the sessions that wait for news.
func (m *Mailbox) receive(c store.Commit) {
	b := &m.inbox
	b.Lock()
	defer b.Unlock()
	rights := b.rights
	for _, e := range c.Events {
		if e.Mailbox != m.id {
			continue
		}
		switch e.Kind {
		case store.EventAdded, store.EventFlags, store.EventExpunged:
			b.events = append(b.events, e)
			b.entries += len(e.Entries)
		case store.EventMailboxDeleted:
			b.removed = true
		case store.EventACL:
			b.rights++
		}
	}
	if b.entries > maxPending {
		b.events, b.entries, b.dropped = nil, 0, true
	}
	for _, w := range b.wakers {
		if w.on == WatchAll || b.rights != rights {
			w.wake()
		}
	}
}

// take returns what came since it was last called.
func (b *inbox) take() (events []store.Event, dropped, removed bool) {
	b.Lock()
	defer b.Unlock()
	events, dropped, removed = b.events, b.dropped, b.removed
	b.events, b.entries, b.dropped = nil, 0, false
	return events, dropped, removed
}

// watch sets what wakes a view.
func (b *inbox) watch(v *View, on Watch) {
	b.Lock()
	defer b.Unlock()
	if on == WatchNothing {
		delete(b.wakers, v)
		return
	}
	if b.wakers == nil {
		b.wakers = make(map[*View]waker)
	}
	b.wakers[v] = waker{v.wake, on}
}

// changesOfRights counts them.
func (b *inbox) changesOfRights() uint64 {
	b.Lock()
	defer b.Unlock()
	return b.rights
}

// refresh brings the index up to date; it is called with mu held. Without an index, only the counts follow, which is all
// that a session needs to hear of new mail.
func (m *Mailbox) refresh(ctx context.Context, load bool) error {
	m.used.Store(m.registry.clock.Add(1))
	events, dropped, removed := m.inbox.take()
	if removed {
		return ErrGone
	}
	if dropped {
		m.drop()
		m.stale = true
	}
	if m.loaded {
		m.applyAll(events)
		return nil
	}
	if !load && !m.stale && m.count(events) {
		return nil
	}
	m.stale = true // until the events that were taken are read with the index
	if err := m.load(ctx); err != nil {
		return err
	}
	if m.registry.heavy() {
		m.registry.shed(m)
	}
	return nil
}

// describe reads the state of a mailbox that was not opened before: what most clients ask for who come back to a large one,
// and need no index for.
func (m *Mailbox) describe(ctx context.Context) error {
	if m.described {
		return nil
	}
	state, err := m.registry.store.MailboxByID(ctx, m.id)
	if errors.Is(err, store.ErrNoMailbox) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("cannot open mailbox %d: %w", m.id, err)
	}
	m.state, m.described = state, true
	m.recent = max(m.recent, state.Recent)
	m.since, m.grownSince = state.HighestModSeq, state.HighestModSeq
	return nil
}

// count applies new messages to the counts alone. It returns false when something else has happened.
func (m *Mailbox) count(events []store.Event) bool {
	for _, e := range events {
		if e.Kind != store.EventAdded {
			return false
		}
	}
	for _, e := range events {
		for _, entry := range e.Entries {
			if entry.ModSeq > m.state.HighestModSeq {
				m.state.Messages++
				m.state.UIDNext, m.state.HighestModSeq = entry.UID+1, entry.ModSeq
			}
		}
	}
	return true
}

// load reads the index, with the messages that are gone but still in some client's view.
func (m *Mailbox) load(ctx context.Context) error {
	state, entries, err := m.registry.store.Index(ctx, m.id)
	if errors.Is(err, store.ErrNoMailbox) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("cannot open mailbox %d: %w", m.id, err)
	}
	m.drop()
	if m.tombs, err = m.vanished(ctx, state.HighestModSeq); err != nil {
		return err
	}
	m.state, m.entries, m.loaded, m.stale = state, entries, true, false
	m.recent = max(m.recent, state.Recent)
	m.since, m.grownSince = state.HighestModSeq, state.HighestModSeq
	m.remember(entries)
	m.registry.weigh(len(entries))
	events, dropped, removed := m.inbox.take()
	switch {
	case removed:
		return ErrGone
	case dropped:
		return fmt.Errorf("cannot open mailbox %d: %w", m.id, ErrLost) // thousands of changes in the time of one read
	}
	m.applyAll(events)
	return nil
}

// vanished asks the store what the views do not know to be gone. It tells for each of the few moments that the views
// stand at what has gone since, which is enough to order them.
func (m *Mailbox) vanished(ctx context.Context, now uint64) ([]tomb, error) {
	var moments []uint64
	for v := range m.views {
		if v.toldGone < now {
			moments = append(moments, v.toldGone)
		}
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	var tombs []tomb
	for i, moment := range moments {
		set, err := m.registry.store.Vanished(ctx, m.id, moment)
		if err != nil {
			return nil, fmt.Errorf("cannot read what vanished from mailbox %d: %w", m.id, err)
		}
		gone := now
		if i+1 < len(moments) {
			gone = moments[i+1]
		}
		for _, r := range set {
			for uid := r.Start; uid <= r.Stop; uid++ {
				if i == 0 {
					tombs = append(tombs, tomb{uid: uid, gone: gone})
				} else if j, found := findTomb(tombs, uid); found { // what went later is part of what went since earlier
					tombs[j].gone = gone
				}
				if uid == r.Stop {
					break // the largest UID has no successor
				}
			}
		}
	}
	return tombs, nil
}

// drop forgets the index.
func (m *Mailbox) drop() {
	if m.loaded {
		m.registry.weigh(-len(m.entries))
	}
	m.entries, m.tombs, m.history, m.loaded = nil, nil, nil, false
}

func findTomb(tombs []tomb, uid imap.UID) (int, bool) {
	return slices.BinarySearchFunc(tombs, uid, func(t tomb, uid imap.UID) int { return compare(t.uid, uid) })
}

// find returns the place of a message in the index.
func (m *Mailbox) find(uid imap.UID) (int, bool) { return search(m.entries, uid) }

func search(entries []store.Entry, uid imap.UID) (int, bool) {
	return slices.BinarySearchFunc(entries, uid, func(e store.Entry, uid imap.UID) int { return compare(e.UID, uid) })
}

// searchFrom is search for a UID that is most likely found at a place or a little behind it, and not before it.
func searchFrom(entries []store.Entry, at int, uid imap.UID) (int, bool) {
	width := 1
	for at+width < len(entries) && entries[at+width].UID < uid {
		width *= 2
	}
	from := at + width/2
	i, found := search(entries[min(from, len(entries)):min(at+width+1, len(entries))], uid)
	return from + i, found
}

func compare(a, b imap.UID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
