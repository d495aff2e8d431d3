package mailbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"gouv.tg/messagerie/mailstack/store"
)

const (
	// DefaultEntries is how many index entries of all mailboxes together are kept in memory, about 64 bytes each.
	DefaultEntries = 500_000
	// eager is up to how many messages opening a mailbox reads its index, which takes a millisecond or two. That of a larger one
	// is read when it is needed: its keywords are told then, and nothing of its first unseen message.
	eager = 10_000
	// maxUnused is how many mailboxes are kept for their next user.
	maxUnused = 256
)

// Registry holds the open mailboxes of a store.
type Registry struct {
	store *store.Store
	limit int64
	eager uint32 // the indexes of mailboxes with no more messages are read when they are opened

	clock  atomic.Int64
	weight atomic.Int64 // entries in memory

	mu     sync.Mutex
	open   map[store.MailboxID]*holder
	unused int // of open, those without users
}

// holder is a mailbox and how many sessions have it or are opening it.
type holder struct {
	box    *Mailbox
	users  int
	cancel func() // ends the subscription
}

// NewRegistry returns a registry that keeps about limit entries in memory; 0: DefaultEntries.
func NewRegistry(st *store.Store, limit int) *Registry {
	if limit == 0 {
		limit = DefaultEntries
	}
	return &Registry{store: st, limit: int64(limit), eager: eager, open: make(map[store.MailboxID]*holder)}
}

// Open opens a view of a mailbox: everything committed so far counts as told. wake is called whenever something happens
// that View.Watch asks for, on a goroutine that must not be kept waiting. With claim, recent messages become the view's alone.
// Errors: ErrGone, ErrLost, or of the store.
func (r *Registry) Open(ctx context.Context, id store.MailboxID, claim bool, wake func()) (*View, error) {
	v := &View{box: r.acquire(id), claims: claim, wake: wake}
	if err := v.open(ctx); err != nil {
		r.release(v.box)
		return nil, err
	}
	return v, nil
}

func (r *Registry) acquire(id store.MailboxID) *Mailbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.open[id]
	switch {
	case h == nil:
		h = &holder{box: &Mailbox{registry: r, id: id, views: make(map[*View]struct{})}}
		// What is committed from now on is seen; the index is read later.
		h.cancel = r.store.SubscribeMailbox(id, h.box.receive)
		r.open[id] = h
	case h.users == 0:
		r.unused--
	}
	h.users++
	return h.box
}

// release ends a use.
func (r *Registry) release(m *Mailbox) {
	r.mu.Lock()
	h := r.open[m.id]
	if h.users--; h.users == 0 {
		r.unused++
	}
	crowded := r.unused > maxUnused
	r.mu.Unlock()
	if crowded || r.heavy() {
		r.shed(nil)
	}
}

// weigh counts entries that came into memory, or went.
func (r *Registry) weigh(entries int) { r.weight.Add(int64(entries)) }

func (r *Registry) heavy() bool { return r.weight.Load() > r.limit }

// shed drops the indexes that nobody has looked at for the longest time until there is some room below the limit again,
// and forgets mailboxes that nobody has open. It does not touch spare.
func (r *Registry) shed(spare *Mailbox) {
	r.mu.Lock()
	holders := make([]*holder, 0, len(r.open))
	for _, h := range r.open {
		if h.box != spare {
			holders = append(holders, h)
		}
	}
	slices.SortFunc(holders, func(a, b *holder) int { return cmp.Compare(a.box.used.Load(), b.box.used.Load()) })
	var idle []*holder
	for _, h := range holders {
		if h.users == 0 && (r.unused > maxUnused/2 || r.heavy()) {
			delete(r.open, h.box.id)
			r.unused--
			idle = append(idle, h)
		}
	}
	r.mu.Unlock()
	for _, h := range idle {
		h.cancel()
		h.box.unload()
	}
	for _, h := range holders {
		if r.weight.Load() <= r.limit*9/10 {
			return
		}
		h.box.unload()
	}
}

func (m *Mailbox) unload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop()
}

// Sizes tells how many mailboxes are open and how many entries of theirs are in memory.
func (r *Registry) Sizes() (mailboxes int, entries int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open), r.weight.Load()
}
