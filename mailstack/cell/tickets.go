package cell

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/link"
)

// maxTickets bounds the tickets that wait for their stream.
const maxTickets = 20000

// tickets are the logins that have succeeded and wait for their stream: each opens one, once, within link.TicketLifetime.
type tickets struct {
	now func() time.Time

	mu      sync.Mutex
	waiting map[string]ticket
	order   []string // oldest first, with those that were used
}

type ticket struct {
	address string // of the account
	service string
	expires time.Time
}

func newTickets() *tickets { return &tickets{now: time.Now, waiting: make(map[string]ticket)} }

// issue returns a ticket, or false when too many wait.
func (t *tickets) issue(address, service string) (string, bool) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	name := hex.EncodeToString(b[:])
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.order) > 0 {
		oldest, ok := t.waiting[t.order[0]]
		if ok && now.Before(oldest.expires) {
			break
		}
		delete(t.waiting, t.order[0])
		t.order = t.order[1:]
	}
	if len(t.order) >= maxTickets {
		return "", false
	}
	t.waiting[name] = ticket{address, service, now.Add(link.TicketLifetime)}
	t.order = append(t.order, name)
	return name, true
}

// redeem uses a ticket up. It is only good for the service and the user it was issued for.
func (t *tickets) redeem(name, user, service string) (address string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.waiting[name]
	delete(t.waiting, name)
	if !ok || !t.now().Before(found.expires) || found.service != service || found.address != user {
		return "", false
	}
	return found.address, true
}
