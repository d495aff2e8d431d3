// Package mailbox holds accounts and their mailboxes in memory, with the bugs one asks for.
package mailbox

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a store.
const (
	MaxAccounts  = 1 << 20
	MaxMailboxes = 1000    // of an account
	MaxName      = 512     // bytes of an account's or a mailbox's name
	MaxMessages  = 1 << 20 // of a mailbox that keeps its messages
	LastMessages = 1000    // of a mailbox that does not
	maxBytes     = 2 << 30 // of all messages together, kept whole
	maxHeaders   = 512 << 20
	overhead     = 256 // bytes of a message beside its content, about
)

// Errors of a store.
var (
	ErrFull   = errors.New("no room left")
	ErrExists = errors.New("mailbox exists")
	ErrName   = errors.New("name not accepted")
)

// Store is safe for concurrent use. Its fields are set before its first use.
type Store struct {
	Keep   bool
	Faults Faults

	mu       sync.RWMutex
	accounts map[string]*Account
	bytes    atomic.Int64
	validity atomic.Uint32
}

// Account is somebody's mailboxes.
type Account struct {
	store *Store
	mu    sync.RWMutex
	boxes map[string]*Mailbox
}

// Account returns an account, made with an INBOX if it is not there. Names are compared without case.
func (s *Store) Account(name string) (*Account, error) {
	if name == "" || len(name) > MaxName {
		return nil, ErrName
	}
	name = strings.ToLower(name)
	s.mu.RLock()
	account := s.accounts[name]
	s.mu.RUnlock()
	if account != nil {
		return account, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if account := s.accounts[name]; account != nil {
		return account, nil
	}
	if len(s.accounts) >= MaxAccounts {
		return nil, ErrFull
	}
	if s.accounts == nil {
		s.accounts = map[string]*Account{}
	}
	account = &Account{store: s, boxes: map[string]*Mailbox{"INBOX": s.newMailbox()}}
	s.accounts[name] = account
	return account, nil
}

// Deliver puts a message into the INBOX of an account and wakes its sessions in IDLE.
func (s *Store) Deliver(name string, c *Content, at time.Time) error {
	account, err := s.Account(name)
	if err != nil {
		return err
	}
	if s.Faults.MessageLost.Due() {
		return nil
	}
	inbox := account.Mailbox("INBOX")
	if s.Faults.MessageDoubled.Due() {
		if _, err := inbox.Append(c, nil, at); err != nil {
			return err
		}
	}
	_, err = inbox.Append(c, nil, at)
	return err
}

func (s *Store) newMailbox() *Mailbox {
	return &Mailbox{store: s, validity: s.validity.Add(1), next: 1, modseq: 1}
}

// Mailbox returns a mailbox by its name, nil when there is none. INBOX is INBOX in any case (RFC 3501, 5.1).
func (a *Account) Mailbox(name string) *Mailbox {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.boxes[canonical(name)]
}

// Create makes a mailbox.
func (a *Account) Create(name string) error {
	name = strings.TrimSuffix(canonical(name), "/")
	if name == "" || len(name) > MaxName || strings.ContainsAny(name, "*%\r\n\x00") {
		return ErrName
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.boxes[name] != nil:
		return ErrExists
	case len(a.boxes) >= MaxMailboxes:
		return ErrFull
	}
	a.boxes[name] = a.store.newMailbox()
	return nil
}

// Delete removes a mailbox other than INBOX and says whether it was there.
func (a *Account) Delete(name string) bool {
	name = canonical(name)
	a.mu.Lock()
	defer a.mu.Unlock()
	box := a.boxes[name]
	if name == "INBOX" || box == nil {
		return false
	}
	delete(a.boxes, name)
	box.discard()
	return true
}

// Names lists the mailboxes in order.
func (a *Account) Names() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	names := make([]string, 0, len(a.boxes))
	for name := range a.boxes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func canonical(name string) string {
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	return name
}
