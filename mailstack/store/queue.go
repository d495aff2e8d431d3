package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const maxLastError = 1000 // bytes kept

func (t *tx) enqueue(p *delivery, content ContentID, token string, q QueueRecipient) error {
	now := t.now.UnixMilli()
	_, err := t.db.Insert(`INSERT INTO queue (token, sender, recipient, content, size, attempts, created, next_attempt, expires, last_error)
		VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, '')`, token, p.Sender, q.Address, int64(content), p.size(), now, now, q.Expires.UnixMilli())
	if err != nil {
		return fmt.Errorf("cannot add to the queue: %w", err)
	}
	t.queueChanged = true
	return nil
}

// DueItems returns at most limit items whose next attempt is not after now, the longest due first.
func (s *Store) DueItems(ctx context.Context, now time.Time, limit int) ([]QueueItem, error) {
	var items []QueueItem
	err := s.read(ctx, func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error {
			items = append(items, QueueItem{
				ID: r.Int(0), Token: r.Text(1), Sender: r.Text(2), Recipient: r.Text(3), Size: r.Int(4), Attempts: int(r.Int(5)),
				Created: time.UnixMilli(r.Int(6)), NextAttempt: time.UnixMilli(r.Int(7)), Expires: time.UnixMilli(r.Int(8)),
				LastError: r.Text(9),
			})
			return nil
		}, `SELECT id, token, sender, recipient, size, attempts, created, next_attempt, expires, last_error
			FROM queue WHERE next_attempt <= ? ORDER BY next_attempt, id LIMIT ?`, now.UnixMilli(), limit)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the queue: %w", err)
	}
	return items, nil
}

// NextDue returns the time of the earliest next attempt after the given time: what DueItems did not return for that
// time. It returns false if there is none.
func (s *Store) NextDue(ctx context.Context, after time.Time) (time.Time, bool, error) {
	var due time.Time
	var found bool
	err := s.read(ctx, func(c *database.Conn) (err error) {
		found, err = c.Row(func(r *database.Rows) { due = time.UnixMilli(r.Int(0)) },
			"SELECT next_attempt FROM queue WHERE next_attempt > ? ORDER BY next_attempt LIMIT 1", after.UnixMilli())
		return err
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("cannot read the queue: %w", err)
	}
	return due, found, nil
}

// QueueChanged returns a channel that is closed when items are next added or changed. Ask for it before
// reading the queue.
func (s *Store) QueueChanged() <-chan struct{} { return s.queueChanged.wait() }

// ReadQueued returns the message of an item; ErrNoItem if there is none.
func (s *Store) ReadQueued(ctx context.Context, id int64) ([]byte, error) {
	raw, err := s.readContent(ctx, nil, ErrNoItem, "SELECT "+refColumns+" FROM queue q JOIN contents c ON c.id = q.content WHERE q.id = ?", id)
	if err != nil {
		return nil, fmt.Errorf("cannot read queue item %d: %w", id, err)
	}
	return raw, nil
}

// FinishItem removes an item: its recipient has the message, or never will. ErrNoItem if there is none.
func (s *Store) FinishItem(ctx context.Context, id int64) error {
	return s.itemOp(ctx, "finish", id, &op{apply: func(t *tx) error { return t.finishItem(id) }})
}

func (s *Store) itemOp(ctx context.Context, what string, id int64, o *op) error {
	if err := s.submit(ctx, o); err != nil {
		return fmt.Errorf("cannot %s queue item %d: %w", what, id, err)
	}
	return nil
}

func (t *tx) item(id int64) (content ContentID, err error) {
	found, err := t.db.Row(func(r *database.Rows) { content = ContentID(r.Int(0)) }, "SELECT content FROM queue WHERE id = ?", id)
	if err == nil && !found {
		err = ErrNoItem
	}
	return content, err
}

func (t *tx) finishItem(id int64) error {
	content, err := t.item(id)
	if err != nil {
		return err
	}
	if _, err := t.db.Exec("DELETE FROM queue WHERE id = ?", id); err != nil {
		return err
	}
	t.queueChanged = true
	return t.release(content)
}

// BounceItem removes an item and delivers the bounce, both or neither; bounce is nil when there is nobody to
// tell. Errors are those of Deliver and ErrNoItem; after one the item is still in the queue.
func (s *Store) BounceItem(ctx context.Context, id int64, bounce *Delivery) error {
	if bounce == nil || len(bounce.Local)+len(bounce.Queue) == 0 {
		return s.FinishItem(ctx, id)
	}
	p, err := prepare(*bounce, s.now())
	if err != nil {
		return fmt.Errorf("cannot bounce queue item %d: %w", id, err)
	}
	o := &op{records: []record{{Record: p.content.record, ref: &p.ref}}, decide: func(t *tx) error {
		if _, err := t.item(id); err != nil {
			return err
		}
		return p.decide(t)
	}}
	o.apply = func(t *tx) error {
		if err := t.finishItem(id); err != nil {
			return err
		}
		return p.apply(t)
	}
	return s.itemOp(ctx, "bounce", id, o)
}

// RetryItem puts an item off after a failed attempt. ErrNoItem if there is none.
func (s *Store) RetryItem(ctx context.Context, id int64, next time.Time, lastError string) error {
	lastError = strings.ToValidUTF8(lastError[:min(len(lastError), maxLastError)], "")
	return s.itemOp(ctx, "put off", id, &op{apply: func(t *tx) error {
		n, err := t.db.Exec("UPDATE queue SET attempts = attempts + 1, next_attempt = ?, last_error = ? WHERE id = ?",
			next.UnixMilli(), lastError, id)
		if err == nil && n == 0 {
			err = ErrNoItem
		}
		t.queueChanged = t.queueChanged || err == nil
		return err
	}})
}

const refColumns = "c.segment, c.offset, c.length, c.stored, c.codec, c.crc"

func readRef(r *database.Rows) segment.Ref {
	return segment.Ref{
		Position: segment.Position{Segment: uint32(r.Int(0)), Offset: r.Int(1)},
		Length:   uint32(r.Int(2)), Stored: uint32(r.Int(3)), Codec: segment.Codec(r.Int(4)), CRC: uint32(r.Int(5)),
	}
}

// readContent reads the bytes that a query refers to, into buf if it is large enough; missing is the error if it finds no
// row.
func (s *Store) readContent(ctx context.Context, buf []byte, missing error, sql string, args ...any) ([]byte, error) {
	ref, err := s.place(ctx, missing, sql, args...)
	if err != nil {
		return nil, err
	}
	return s.readAt(ctx, ref, buf, missing, sql, args...)
}

// readAt is readContent where the bytes were when the query was run. If compaction has moved them since, it looks again
// where they are.
func (s *Store) readAt(ctx context.Context, ref segment.Ref, buf []byte, missing error, sql string, args ...any) ([]byte, error) {
	if ref.Segment == 0 {
		return nil, missing
	}
	raw, err := s.log.ReadInto(ref, buf)
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	if ref, err = s.place(ctx, missing, sql, args...); err != nil {
		return nil, err
	}
	return s.log.ReadInto(ref, buf)
}

func (s *Store) place(ctx context.Context, missing error, sql string, args ...any) (segment.Ref, error) {
	var ref segment.Ref
	err := s.read(ctx, func(c *database.Conn) error {
		found, err := c.Row(func(r *database.Rows) { ref = readRef(r) }, sql, args...)
		if err == nil && !found {
			err = missing
		}
		return err
	})
	return ref, err
}
