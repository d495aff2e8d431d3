package store

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"gouv.tg/messagerie/mailstack/store/database"
)

// Receiver is what must be known of an account to let a message for it come.
type Receiver struct {
	ID         AccountID
	Address    string
	Disabled   bool
	QuotaBytes int64 // 0: none
	UsedBytes  int64
}

// maxReceivers bounds how many are held in memory: some 200 bytes each.
const maxReceivers = 1 << 15

// receivers are those that were asked for lately. The writer keeps them up to date.
type receivers struct {
	mu      sync.RWMutex
	byName  map[string]*Receiver
	byID    map[AccountID]*Receiver
	changes uint64 // counts what a reader of the database may have missed
}

func (r *receivers) get(address string) (known Receiver, ok bool, changes uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if p := r.byName[address]; p != nil {
		return *p, true, 0
	}
	return Receiver{}, false, r.changes
}

// add keeps what was read from the database, unless something has changed since get.
func (r *receivers) add(known Receiver, changes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != changes {
		return
	}
	if len(r.byName) >= maxReceivers || r.byName == nil {
		r.clear()
	}
	r.byName[known.Address], r.byID[known.ID] = &known, &known
}

func (r *receivers) clear() {
	r.byName, r.byID = make(map[string]*Receiver), make(map[AccountID]*Receiver)
}

// update takes over what a commit has changed; all: also accounts as such.
func (r *receivers) update(states []*accountState, all bool) {
	if len(states) == 0 && !all {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	if all {
		r.clear()
	}
	for _, a := range states {
		if known := r.byID[a.id]; known != nil {
			known.UsedBytes = a.used
		}
	}
}

// Receiver returns what Account does, less but sooner.
func (s *Store) Receiver(ctx context.Context, address string) (Receiver, error) {
	address = strings.ToLower(address)
	known, ok, changes := s.receivers.get(address)
	if ok {
		return known, nil
	}
	err := s.read(ctx, func(c *database.Conn) error {
		found, err := c.Row(func(r *database.Rows) {
			known = Receiver{AccountID(r.Int(0)), r.Text(1), r.Bool(2), r.Int(3), r.Int(4)}
		}, `SELECT a.id, a.address, a.disabled, a.quota, s.used FROM accounts a LEFT JOIN account_state s ON s.account = a.id
			WHERE a.address = ?`, address)
		if err == nil && !found {
			err = ErrNoAccount
		}
		return err
	})
	if err != nil {
		return Receiver{}, fmt.Errorf("cannot read a receiver: %w", err)
	}
	s.receivers.add(known, changes)
	return known, nil
}
