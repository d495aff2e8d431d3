package queue

import (
	"context"
	"errors"
	"time"

	"gouv.tg/messagerie/mailstack/store"
)

// settleTimeout bounds the recording of an outcome, which goes on while the process is being stopped.
const settleTimeout = 10 * time.Second

// settle records what became of an item: done, to be tried again, or reported to its sender. raw is the message, nil if
// it could not be read.
func (q *Queue) settle(item store.QueueItem, raw []byte, f *failure) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	now := time.Now()
	log := q.log.With("item", item.ID, "from", item.Sender, "to", item.Recipient, "attempt", item.Attempts+1)
	var err error
	switch {
	case f == nil:
		q.sent.Add(1)
		log.Info("sent", "after", now.Sub(item.Created).Round(time.Millisecond).String())
		err = q.store.FinishItem(ctx, item.ID)
	case !f.permanent && now.Before(item.Expires):
		q.retried.Add(1)
		next := now.Add(q.pause(item.Attempts + 1))
		if next.After(item.Expires) {
			next = item.Expires
		}
		log.Warn("not sent, will be tried again", "reason", f.String(), "next", next.UTC().Format(time.RFC3339))
		err = q.store.RetryItem(ctx, item.ID, next, f.String())
	default:
		log.Warn("not sent, giving up", "reason", f.String(), "permanent", f.permanent)
		err = q.giveUp(ctx, item, raw, f, now)
	}
	if err != nil {
		log.Error("cannot record the outcome of a queued message", "error", err)
	}
}

// giveUp removes an item and tells its sender. A report that cannot be delivered is never reported on (RFC 5321, 6.1).
func (q *Queue) giveUp(ctx context.Context, item store.QueueItem, raw []byte, f *failure, now time.Time) error {
	q.bounced.Add(1)
	if item.Sender == "" {
		return q.store.FinishItem(ctx, item.ID)
	}
	account, err := q.store.Account(ctx, item.Sender)
	if errors.Is(err, store.ErrNoAccount) {
		q.log.Warn("no report: the sender is gone", "item", item.ID, "from", item.Sender)
		return q.store.FinishItem(ctx, item.ID)
	}
	if err != nil {
		return err
	}
	r := report{hostname: q.Hostname, item: item, failure: f, original: raw, now: now}
	err = q.store.BounceItem(ctx, item.ID, &store.Delivery{
		Raw: r.message(), InternalDate: now, Local: []store.Recipient{{Account: account.ID}},
	})
	switch {
	case !errors.Is(err, store.ErrOverQuota):
		return err
	case now.Before(item.Expires): // the sender may make room
		return q.store.RetryItem(ctx, item.ID, now.Add(q.pause(len(backoff))), f.String())
	}
	q.log.Warn("no report: the sender's mailbox is full", "item", item.ID, "from", item.Sender)
	return q.store.FinishItem(ctx, item.ID)
}
