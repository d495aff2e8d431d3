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
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for {
		err := errors.Join(s.sweepUp(ctx), s.prune(ctx), s.emptyVault(ctx))
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
