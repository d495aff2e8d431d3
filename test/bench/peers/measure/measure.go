// Package measure says what is measured on every peer, and how: each Measure is a step done in rounds, by one peer after the other.
package measure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/server"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// Better says which way is better.
type Better string

const (
	Higher  Better = "higher"
	Lower   Better = "lower"
	Neither Better = "" // a fact beside the others
)

// Measure is one thing that is measured.
type Measure struct {
	Name    string
	Unit    string
	Better  Better
	Once    bool                        // one round tells all
	Prepare func(context.Context) error // before the first round, of all peers; nil: nothing
	Lanes   []Lane
}

// Lane is one peer in a Measure.
type Lane struct {
	Peer      string
	Processes system.Group
	Round     func(ctx context.Context, m *Meter) error
}

// Sizes say how much work there is.
type Sizes struct {
	Duration time.Duration // of a round whose work has no end of its own
	Messages int           // most that a round delivers
	Big      int           // messages in the big mailbox
	Idle     int           // sessions in IDLE
}

// Bench is what the measures share.
type Bench struct {
	Sizes
	Servers []*server.Server
	TLS     *tls.Config // trusts the peers
	Corpus  *corpus.Corpus
	Folder  string // for files of the measures
	// Progress is told what is done that is no measure.
	Progress func(format string, arguments ...any)

	numbers atomic.Int64 // of messages that were made
	sources atomic.Int64 // connections that were made
	turns   atomic.Int64 // rounds that had a mailbox of their own
	mu      sync.Mutex
	watches map[*server.Server]*watch
	filled  bool
}

// All are the measures, in the order in which they are to be done: memory first, while every peer is fresh.
func (b *Bench) All() []Measure {
	all := append([]Measure{b.idle(), b.syncs(1), b.syncs(64)}, b.syncsOfCommands()...)
	for _, sessions := range []int{1, 16, 64} {
		for _, mailboxes := range []int{1, server.Accounts} {
			all = append(all, b.delivery(sessions, mailboxes))
		}
	}
	all = append(all, b.logins()...)
	all = append(all, b.noop(), b.appends(1), b.appends(16))
	return append(all, b.bigMailbox()...)
}

// Close ends what the measures left open.
func (b *Bench) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.watches {
		w.close()
	}
	b.watches = nil
}

// Meter takes one round's figures.
type Meter struct {
	Value      float64 // in the Measure's unit; 0: Operations by Wall, or their median in ms where less is better
	Operations int
	Took       []time.Duration // single operations
	Extra      map[string]float64
	Wall       time.Duration
	ServerCPU  time.Duration
	ClientCPU  time.Duration

	group       system.Group
	began       time.Time
	server, own time.Duration
	mu          sync.Mutex
}

// NewMeter makes the meter of a round in which the group serves.
func NewMeter(group system.Group) *Meter { return &Meter{group: group, Extra: map[string]float64{}} }

// Begin starts the clocks: what came before is no part of the figures.
func (m *Meter) Begin() {
	m.server, m.own = m.group.CPU(), system.OwnCPU()
	m.began = time.Now()
}

// End stops the clocks.
func (m *Meter) End() {
	m.Wall = time.Since(m.began)
	m.ServerCPU, m.ClientCPU = m.group.CPU()-m.server, system.OwnCPU()-m.own
}

// took notes that an operation is done. It may be called by several at once.
func (m *Meter) took(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Took = append(m.Took, d)
	m.Operations++
}

// repeat does an operation again and again: until the duration is over or it was done most times, and at least once.
func (m *Meter) repeat(ctx context.Context, duration time.Duration, most int, operation func() error) error {
	for began := time.Now(); m.Operations == 0 || m.Operations < most && time.Since(began) < duration; {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		if err := operation(); err != nil {
			return err
		}
		m.took(time.Since(start))
	}
	return nil
}

// parallel calls f for 0 to n-1, some at once; it stops at the first error.
func parallel(ctx context.Context, n, atOnce int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(n, atOnce) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// perServer makes a lane of each server that f gives a round for.
func (b *Bench) perServer(f func(s *server.Server) func(ctx context.Context, m *Meter) error) []Lane {
	var lanes []Lane
	for _, s := range b.Servers {
		if round := f(s); round != nil {
			lanes = append(lanes, Lane{Peer: s.Name, Processes: s.Processes, Round: round})
		}
	}
	return lanes
}

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d-%s", n, noun)
	}
	if noun == "mailbox" {
		return fmt.Sprintf("%d-%ses", n, noun)
	}
	return fmt.Sprintf("%d-%ss", n, noun)
}
