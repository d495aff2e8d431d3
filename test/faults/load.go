package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/test/harness"
)

const (
	senders = 12
	// retryPause keeps senders from spinning while the victim is away.
	retryPause = 50 * time.Millisecond
)

// load is the submissions of one round: senders go on, over failures, until a number of messages is acknowledged.
type load struct {
	ledger     *Ledger
	service    *service
	from       []harness.Account
	recipients []string
	prefix     string // of tokens
	seed       uint64
	killAt     int64 // acknowledgements until trigger closes

	slots        chan struct{} // messages still to be acknowledged
	want         int64
	acknowledged atomic.Int64
	unknown      atomic.Int64
	trigger      chan struct{} // closed when it is time to kill
	complete     chan struct{} // closed when all are acknowledged

	mu       sync.Mutex
	refusals map[string]bool
}

func newLoad(messages, killAt int) *load {
	l := &load{
		killAt: int64(killAt), want: int64(messages), slots: make(chan struct{}, messages),
		trigger: make(chan struct{}), complete: make(chan struct{}), refusals: map[string]bool{},
	}
	for range messages {
		l.slots <- struct{}{}
	}
	return l
}

// run sends until the count is reached or ctx ends.
func (l *load) run(ctx context.Context) error {
	var running sync.WaitGroup
	for n := range senders {
		running.Go(func() { l.send(ctx, n) })
	}
	running.Wait()
	if missing := l.want - l.acknowledged.Load(); missing > 0 {
		return fmt.Errorf("%d of %d messages were not acknowledged in time: %w", missing, l.want, ctx.Err())
	}
	return nil
}

func (l *load) send(ctx context.Context, n int) {
	random := rand.New(rand.NewPCG(l.seed, uint64(n)))
	s := &sender{service: l.service, account: l.from[n%len(l.from)]}
	defer s.close()
	for serial := 0; l.take(ctx); serial++ {
		m, text := compose(random, fmt.Sprintf("%s-%02d-%05d", l.prefix, n, serial), s.account.Address, l.draw(random))
		l.ledger.Begin(m)
		outcome, err := s.send(ctx, m, text)
		l.ledger.Settle(m, outcome)
		if outcome == Acknowledged {
			l.acknowledge()
			continue
		}
		l.slots <- struct{}{}
		if outcome == Unknown {
			l.unknown.Add(1)
		}
		if permanent(err) {
			l.refused(err)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return
		}
	}
}

// draw chooses the recipients: usually one, sometimes two or three of any ministry.
func (l *load) draw(random *rand.Rand) []string {
	count := 1
	if random.IntN(4) == 0 {
		count += 1 + random.IntN(2)
	}
	var to []string
	for _, i := range random.Perm(len(l.recipients))[:count] {
		to = append(to, l.recipients[i])
	}
	return to
}

// take waits for a message that is still to be acknowledged.
func (l *load) take(ctx context.Context) bool {
	select {
	case <-l.slots:
		return ctx.Err() == nil
	case <-l.complete:
		return false
	case <-ctx.Done():
		return false
	}
}

func (l *load) acknowledge() {
	n := l.acknowledged.Add(1)
	if n == l.killAt {
		close(l.trigger)
	}
	if n == l.want {
		close(l.complete)
	}
}

func (l *load) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.refusals) < 20 {
		l.refusals[err.Error()] = true
	}
}
