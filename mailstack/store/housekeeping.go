package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
)

const (
	// deliveredFor is how long a delivery's ID is remembered: longer than any queue retries.
	deliveredFor = 30 * 24 * time.Hour
	keepInterval = 10 * time.Minute
	keepChunk    = 500 // rows in one step
)

// keepHouse removes in small steps what is no longer needed.
func (s *Store) keepHouse(ctx context.Context) {
	defer close(s.kept)
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for {
		err := errors.Join(s.sweepUp(ctx), s.prune(ctx))
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("housekeeping failed, will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.sweep:
		}
	}
}

// step runs an operation again and again until it has nothing left to do.
func (s *Store) step(ctx context.Context, apply func(*tx) (more bool, err error)) error {
	for {
		var more bool
		err := s.submit(ctx, &op{apply: func(t *tx) (err error) { more, err = apply(t); return err }})
		if err != nil || !more {
			return err
		}
	}
}

// prune forgets old delivery ids.
func (s *Store) prune(ctx context.Context) error {
	needed, err := s.has(ctx, "SELECT 1 FROM (SELECT time FROM delivered ORDER BY id LIMIT 1) WHERE time < ?", s.now().Add(-deliveredFor).UnixMilli())
	if err == nil && needed {
		err = s.step(ctx, func(t *tx) (bool, error) {
			n, err := t.db.Exec(`DELETE FROM delivered WHERE id IN
				(SELECT id FROM (SELECT id, time FROM delivered ORDER BY id LIMIT ?) WHERE time < ?)`,
				keepChunk, t.now.Add(-deliveredFor).UnixMilli())
			return n == keepChunk, err
		})
	}
	if err != nil {
		return fmt.Errorf("cannot forget old deliveries: %w", err)
	}
	return nil
}

func (s *Store) has(ctx context.Context, sql string, args ...any) (found bool, err error) {
	err = s.read(ctx, func(c *database.Conn) (err error) {
		found, err = c.Row(func(*database.Rows) {}, sql, args...)
		return err
	})
	return found, err
}

// sweepUp removes the messages of removed mailboxes.
func (s *Store) sweepUp(ctx context.Context) error {
	needed, err := s.has(ctx, "SELECT 1 FROM doomed")
	if err == nil && needed {
		err = s.step(ctx, (*tx).sweep)
	}
	if err != nil {
		return fmt.Errorf("cannot sweep up removed mailboxes: %w", err)
	}
	return nil
}

func (t *tx) sweep() (more bool, err error) {
	var mailbox int64
	found, err := t.db.Row(func(r *database.Rows) { mailbox = r.Int(0) }, "SELECT mailbox FROM doomed LIMIT 1")
	if err != nil || !found {
		return false, err
	}
	var contents []int64
	var last int64
	err = t.db.Each(func(r *database.Rows) error {
		last, contents = r.Int(0), append(contents, r.Int(1))
		return nil
	}, "SELECT uid, content FROM messages WHERE mailbox = ? ORDER BY uid LIMIT ?", mailbox, keepChunk)
	if err != nil {
		return false, err
	}
	for _, id := range contents {
		if err := t.release(id); err != nil {
			return false, err
		}
	}
	if _, err := t.db.Exec("DELETE FROM messages WHERE mailbox = ? AND uid <= ?", mailbox, last); err != nil {
		return false, err
	}
	if len(contents) == keepChunk {
		return true, nil
	}
	n, err := t.db.Exec("DELETE FROM vanished WHERE mailbox = ? AND (modseq, uid) IN (SELECT modseq, uid FROM vanished WHERE mailbox = ? LIMIT ?)",
		mailbox, mailbox, keepChunk)
	if err != nil || n == keepChunk {
		return true, err
	}
	_, err = t.db.Exec("DELETE FROM doomed WHERE mailbox = ?", mailbox)
	return true, err
}
