// Package queue sends on what a cell has accepted for recipients elsewhere: to other cells through a gateway, to the rest
// of the world through a configured relay. Its items live in the store, so that nothing is lost with the process.
package queue

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/store"
)

// Lifetime is how long a recipient is tried before the sender is told (RFC 5321, 4.5.4.1: at least 4-5 days).
const Lifetime = 5 * 24 * time.Hour

// Gateways is how the queue reaches other cells.
type Gateways interface {
	// OpenRelay opens a stream on which a gateway speaks LMTP.
	OpenRelay(ctx context.Context) (net.Conn, error)
	// Connected returns a number that grows with each link that comes up, whether a link is up, and a channel that is
	// closed when either changes.
	Connected() (generation uint64, up bool, changed <-chan struct{})
}

// Options configure a Queue.
type Options struct {
	Hostname string    // in EHLO and in reports
	Outbound *Outbound // nil: mail leaves the platform nowhere
	Gateways Gateways
	Logger   *slog.Logger
}

// Bounds of a Queue.
const (
	workers     = 16
	window      = 256   // items read from the store at once
	resumeLimit = 10000 // items tried again at once when a link comes up
	idlePoll    = time.Minute
)

// Queue runs the onward items of a store.
type Queue struct {
	store *store.Store
	Options
	log *slog.Logger

	mu       sync.Mutex
	inFlight map[int64]struct{}
	freed    chan struct{} // has room for one: a worker has finished

	sent, bounced, retried atomic.Int64

	pause func(attempts int) time.Duration // tests do not wait
}

// Counts are what a Queue has done since it started, in recipients.
type Counts struct{ Sent, Bounced, Retried int64 }

// New returns a queue; Run runs it.
func New(st *store.Store, o Options) *Queue {
	return &Queue{
		store: st, Options: o, log: o.Logger, inFlight: make(map[int64]struct{}), freed: make(chan struct{}, 1), pause: pause,
	}
}

// Counts returns what the queue has done.
func (q *Queue) Counts() Counts {
	return Counts{Sent: q.sent.Load(), Bounced: q.bounced.Load(), Retried: q.retried.Load()}
}

// Run sends until ctx is done and returns when the last worker has stopped.
func (q *Queue) Run(ctx context.Context) {
	jobs := make(chan store.QueueItem)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { q.work(ctx, jobs) })
	}
	q.dispatch(ctx, jobs)
	close(jobs)
	wg.Wait()
}

// dispatch hands out items: those that are due, and after a link came up those that wait for their next attempt as well.
// Nothing is tried while no link is up, so that an outage does not use up attempts; what has expired is reported still.
func (q *Queue) dispatch(ctx context.Context, jobs chan<- store.QueueItem) {
	var resumed uint64 // generation of links whose arrival has been acted upon
	var early []store.QueueItem
	for ctx.Err() == nil {
		changed := q.store.QueueChanged() // before the items are read: no change is missed
		generation, up, links := q.Gateways.Connected()
		asked := time.Now()
		items, err := q.store.DueItems(ctx, asked, window+q.busy())
		if err != nil {
			q.fault(ctx, "read queue", err)
			continue
		}
		if up && generation != resumed {
			if early, err = q.store.DueItems(ctx, time.Now().Add(Lifetime), resumeLimit); err != nil {
				q.fault(ctx, "read queue", err)
				continue
			}
			resumed = generation
		}
		n := min(window, len(early))
		items = append(items, early[:n]...)
		early = early[n:]

		progress := false
		for _, item := range items {
			if !q.claim(item, up) {
				continue
			}
			progress = true
			select {
			case jobs <- item:
			case <-ctx.Done():
				return
			}
		}
		if progress || len(early) > 0 {
			continue
		}
		q.wait(ctx, asked, changed, links)
	}
}

// wait sleeps until there may be something to do. What was due when the store was asked is in flight or waits for a link:
// its end is told on a channel. What has become due since, or will, is told by the clock only.
func (q *Queue) wait(ctx context.Context, asked time.Time, changed, links <-chan struct{}) {
	pause := idlePoll
	if next, ok, err := q.store.NextDue(ctx, asked); err == nil && ok {
		pause = min(pause, max(0, time.Until(next)))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-changed:
	case <-links:
	case <-q.freed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (q *Queue) fault(ctx context.Context, doing string, err error) {
	if ctx.Err() != nil {
		return
	}
	q.log.Error("cannot "+doing, "error", err)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}

func (q *Queue) busy() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.inFlight)
}

// claim marks an item as in flight, unless it is already. Without a link only an expired item counts.
func (q *Queue) claim(item store.QueueItem, up bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, taken := q.inFlight[item.ID]; taken || !up && time.Now().Before(item.Expires) {
		return false
	}
	q.inFlight[item.ID] = struct{}{}
	return true
}

func (q *Queue) release(item store.QueueItem) {
	q.mu.Lock()
	delete(q.inFlight, item.ID)
	q.mu.Unlock()
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

func (q *Queue) work(ctx context.Context, jobs <-chan store.QueueItem) {
	w := &worker{queue: q}
	defer w.close()
	for {
		select {
		case item, open := <-jobs:
			if !open {
				return
			}
			w.run(ctx, item)
			q.release(item)
		case <-w.idle():
			w.close()
		}
	}
}

// failure is why a recipient did not get the message.
type failure struct {
	permanent bool
	status    string // RFC 3463, for the report
	reply     string // what the other side said, or what went wrong; for the report
	remote    string // name of the other side, empty if it was never reached
}

func (f *failure) String() string {
	if f.remote == "" {
		return f.reply
	}
	return f.remote + ": " + f.reply
}
