package content

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Delivery is what the sender knew of a message that arrived.
type Delivery struct {
	Intended     time.Time // when it should have been submitted
	Acknowledged time.Time // zero: the acknowledgement is not there yet, or never came
	Known        bool      // this worker sent it to this account and follows it
}

// delivery is one message for one account: 112 octets, and its token until it is seen.
type delivery struct {
	account *account
	token   string
	number  uint64

	intended, acknowledged int64 // Unix nanoseconds; 0: not yet

	at    place // where it was last seen, if it was
	state state

	// In the list of those that may be forgotten, oldest first.
	listed     bool
	next, prev *delivery
}

type state uint8

const (
	acknowledged state = 1 << iota
	unknown            // no reply
	seen
	deleted // from where it was seen, by this run
	doubled // reported
	lost    // reported
)

// place is a message in an account.
type place struct {
	mailbox    string
	generation uint32 // of the mailbox's UIDVALIDITY
	uid        uint32
}

// account is what is followed of one account.
type account struct {
	name       string
	deliveries []*delivery // by message number
}

func (a *account) search(number uint64) (int, bool) {
	return slices.BinarySearchFunc(a.deliveries, number, func(d *delivery, n uint64) int { return cmp.Compare(d.number, n) })
}

// ledger says of each delivery where it stands.
type ledger struct {
	mu       sync.Mutex
	accounts map[string]*account
	size     int       // deliveries held
	list     *delivery // of a ring: the oldest that may be forgotten

	tracked, confirmed int64
	waiting, doubtful  int64 // not seen: acknowledged, without a reply
}

// Submitted is called before a message is sent; then, for each recipient, one of Acknowledged, Refused and Unknown.
func (r *Run) Submitted(m *Message, intended time.Time) {
	l := &r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, to := range m.To {
		if !r.Tracked(to) {
			continue
		}
		if l.size >= r.options.MaxTracked {
			r.reports.untracked.Add(1)
			if !l.forgetOldest() {
				continue
			}
		}
		l.add(strings.ToLower(to), m, intended)
	}
}

func (l *ledger) add(to string, m *Message, intended time.Time) {
	a := l.accounts[to]
	if a == nil {
		a = &account{name: to}
		l.accounts[to] = a
	}
	i, found := a.search(m.number)
	if found {
		return // named twice
	}
	a.deliveries = slices.Insert(a.deliveries, i, &delivery{account: a, token: m.Token, number: m.number, intended: intended.UnixNano()})
	l.size++
	l.tracked++
}

// find returns the delivery of a message to an account; nil if it is not followed.
func (l *ledger) find(to string, number uint64) *delivery {
	if a := l.accounts[strings.ToLower(to)]; a != nil {
		if i, found := a.search(number); found {
			return a.deliveries[i]
		}
	}
	return nil
}

// Acknowledged: the server has taken responsibility for the message. From then on it must arrive.
func (r *Run) Acknowledged(m *Message, to string, at time.Time) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if d := r.ledger.find(to, m.number); d != nil {
		d.acknowledged = at.UnixNano()
		r.ledger.become(d, d.state|acknowledged)
	}
}

// Refused: the server said no. The message need not arrive.
func (r *Run) Refused(m *Message, to string) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if d := r.ledger.find(to, m.number); d != nil && d.state&seen == 0 {
		r.ledger.forget(d)
	}
}

// Unknown: the connection died before the reply. The message may arrive once or not at all.
func (r *Run) Unknown(m *Message, to string) {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	if d := r.ledger.find(to, m.number); d != nil {
		r.ledger.become(d, d.state|unknown)
	}
}

// Waiting lists the accounts for which something was acknowledged that was neither seen nor judged yet.
func (r *Run) Waiting() map[string]bool {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	waiting := map[string]bool{}
	for name, a := range r.ledger.accounts {
		for _, d := range a.deliveries {
			if d.state.waiting() && d.state&lost == 0 {
				waiting[name] = true
				break
			}
		}
	}
	return waiting
}

// Outstanding lists the tokens that were acknowledged for an account and not seen yet, in the order they were made.
func (r *Run) Outstanding(account string) []string {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	var tokens []string
	if a := r.ledger.accounts[strings.ToLower(account)]; a != nil {
		for _, d := range a.deliveries {
			if d.state.waiting() {
				tokens = append(tokens, d.token)
			}
		}
	}
	return tokens
}

func (s state) waiting() bool  { return s&acknowledged != 0 && s&seen == 0 }
func (s state) doubtful() bool { return s&unknown != 0 && s&(acknowledged|seen) == 0 }

// become changes a delivery's state and keeps the counts; what is seen or doubtful may be forgotten from then on.
func (l *ledger) become(d *delivery, s state) {
	l.waiting += count(s.waiting()) - count(d.state.waiting())
	l.doubtful += count(s.doubtful()) - count(d.state.doubtful())
	l.confirmed += count(s&seen != 0) - count(d.state&seen != 0)
	d.state = s
	switch mayForget := s&seen != 0 || s.doubtful(); {
	case mayForget && !d.listed:
		l.enlist(d)
	case !mayForget && d.listed:
		l.delist(d)
	}
}

func count(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// forget removes a delivery. What was counted stays counted, but for those that wait.
func (l *ledger) forget(d *delivery) {
	l.waiting -= count(d.state.waiting())
	l.doubtful -= count(d.state.doubtful())
	if d.listed {
		l.delist(d)
	}
	a := d.account
	switch i, _ := a.search(d.number); i {
	case 0: // as a rule: the oldest
		a.deliveries[0] = nil
		a.deliveries = a.deliveries[1:]
	default:
		a.deliveries = slices.Delete(a.deliveries, i, i+1)
	}
	l.size--
	if len(a.deliveries) == 0 {
		delete(l.accounts, a.name)
	}
}

// forgetOldest makes room; false if everything held still has to arrive.
func (l *ledger) forgetOldest() bool {
	if l.list == nil {
		return false
	}
	l.forget(l.list)
	return true
}

func (l *ledger) enlist(d *delivery) {
	d.listed = true
	if l.list == nil {
		l.list, d.next, d.prev = d, d, d
		return
	}
	d.next, d.prev = l.list, l.list.prev
	d.prev.next, d.next.prev = d, d
}

func (l *ledger) delist(d *delivery) {
	switch {
	case d.next == d:
		l.list = nil
	case l.list == d:
		l.list = d.next
	}
	d.prev.next, d.next.prev = d.next, d.prev
	d.listed, d.next, d.prev = false, nil, nil
}

func (l *ledger) count(s *Summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Tracked, s.Confirmed, s.Outstanding, s.Unknown = l.tracked, l.confirmed, l.waiting, l.doubtful
}
