package queue

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/store"
)

// idleStream is how long a worker keeps its stream to the gateway for the next item.
const idleStream = 2 * time.Second

// worker sends one item after another. It keeps its stream to the gateway open for a moment, so that a burst does not
// pay for a stream each.
type worker struct {
	queue  *Queue
	conn   net.Conn
	client *smtp.Client // on conn; nil: no stream is open
}

// idle is ready when the stream has not been needed for a while.
func (w *worker) idle() <-chan time.Time {
	if w.client == nil {
		return nil
	}
	return time.After(idleStream)
}

func (w *worker) close() {
	if w.client != nil {
		_ = w.client.Close()
		w.client = nil
	}
}

// run sends an item and settles it.
func (w *worker) run(ctx context.Context, item store.QueueItem) {
	q := w.queue
	raw, err := q.store.ReadQueued(ctx, item.ID)
	switch {
	case errors.Is(err, store.ErrNoItem), ctx.Err() != nil:
		return // finished since it was listed; or stopping
	case err != nil:
		q.log.Error("cannot read queued message", "item", item.ID, "error", err)
		q.settle(item, nil, &failure{status: "4.3.0", reply: "the message cannot be read"})
		return
	}
	f := w.send(ctx, item, raw)
	if f != nil && ctx.Err() != nil {
		return // stopping is nobody's failure
	}
	q.settle(item, raw, f)
}

// send tries inside the platform first, because only the gateway knows who is, and then outside.
func (w *worker) send(ctx context.Context, item store.QueueItem, raw []byte) *failure {
	f, external := w.relay(ctx, item, raw)
	if !external || w.queue.Outbound == nil {
		return f
	}
	return w.queue.Outbound.send(ctx, w.queue.Hostname, item, raw)
}
