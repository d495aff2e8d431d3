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

// worker sends one group of items after another. It keeps its stream to the gateway open for a moment, so that a burst
// does not pay for a stream each.
type worker struct {
	queue  *Queue
	conn   net.Conn
	client *smtp.Client
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

// run sends a group of items of one message and settles each.
func (w *worker) run(ctx context.Context, group []store.QueueItem) {
	q := w.queue
	raw, err := q.store.ReadQueued(ctx, group[0].ID)
	switch {
	case errors.Is(err, store.ErrNoItem), ctx.Err() != nil:
		return // finished since it was listed; or stopping
	case err != nil:
		q.log.Error("cannot read queued message", "item", group[0].ID, "error", err)
		for _, item := range group {
			q.settle(item, nil, &failure{status: "4.3.0", reply: "the message cannot be read"})
		}
		return
	}
	outcomes := w.send(ctx, group, raw)
	for i, item := range group {
		if outcomes[i] != nil && ctx.Err() != nil {
			continue // stopping is nobody's failure
		}
		q.settle(item, raw, outcomes[i])
	}
}

// send tries a group: inside the platform first, because only the gateway knows who is; then outside.
func (w *worker) send(ctx context.Context, group []store.QueueItem, raw []byte) []*failure {
	outcomes := make([]*failure, len(group))
	external := w.relay(ctx, group, raw, outcomes)
	if len(external) == 0 {
		return outcomes
	}
	if w.queue.Outbound == nil {
		for _, i := range external {
			outcomes[i] = &failure{permanent: true, status: "5.7.1", reply: "550 5.7.1 relaying denied"}
		}
		return outcomes
	}
	w.queue.Outbound.send(ctx, w.queue.Hostname, group, external, raw, outcomes)
	return outcomes
}
