package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	compactFirst    = time.Minute // after the store was opened
	compactInterval = time.Hour
	compactRows     = 64        // contents moved in one commit
	compactBytes    = 512 << 10 // of them, unless one alone has more
	// compactRest is how many times as long as a step took housekeeping rests after it: deliveries come first.
	compactRest = 9
	// compactReserve is what compaction leaves free of a disk that is full for messages: it is what gets room back.
	compactReserve = segment.Reserve / 4
)

// Compaction says what Compact has done.
type Compaction struct {
	Removed    int   // segments
	Freed      int64 // bytes of their files
	Moved      int64 // bytes of records that were copied from them
	Unreadable int   // contents that could not be copied; their segments stay
}

// Compact gets back the room of messages that nothing refers to any more, neither a mailbox nor the queue nor the vault: of
// segments of which less than half is referred to, the rest is copied elsewhere, and their files are removed. It may run
// beside anything; deliveries go between its steps. Housekeeping does the same, with rests. ErrDiskFull: there is no room
// for copies; what was done until then stays done.
func (s *Store) Compact(ctx context.Context) (Compaction, error) { return s.compact(ctx, 0) }

// keepCompact compacts from time to time if contents were removed in the meantime.
func (s *Store) keepCompact(ctx context.Context) {
	timer := time.NewTimer(compactFirst)
	defer timer.Stop()
	for looked := int64(-1); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if released := s.tx.released.Load(); released != looked {
			looked = released
			if _, err := s.compact(ctx, compactRest); err != nil && ctx.Err() == nil {
				s.logger.Warn("compaction failed, will be tried again", "error", err)
				looked = -1
			}
		}
		timer.Reset(compactInterval)
	}
}

// compaction is one run.
type compaction struct {
	Compaction
	s    *Store
	rest int
}

func (s *Store) compact(ctx context.Context, rest int) (Compaction, error) {
	select {
	case s.compacting <- struct{}{}:
		defer func() { <-s.compacting }()
	case <-ctx.Done():
		return Compaction{}, ctx.Err()
	}
	c := &compaction{s: s, rest: rest}
	sparse, err := c.survey(ctx)
	for _, v := range sparse {
		if err == nil {
			err = c.rewrite(ctx, v)
		}
	}
	if c.Removed > 0 || c.Unreadable > 0 {
		s.logger.Info("compacted", "segments", c.Removed, "freedBytes", c.Freed, "movedBytes", c.Moved, "unreadable", c.Unreadable)
	}
	if err != nil {
		return c.Compaction, fmt.Errorf("cannot compact: %w", err)
	}
	return c.Compaction, nil
}

// sparse is a segment of which little is referred to.
type sparse struct {
	segment.Segment
	live int64 // bytes
}

// survey finds the segments that are worth rewriting, those with the least to copy first.
func (c *compaction) survey(ctx context.Context) ([]sparse, error) {
	segments, err := c.s.log.Segments()
	if err != nil {
		return nil, err
	}
	var list []sparse
	var dead int64
	for _, sg := range segments {
		begun := time.Now()
		live, err := c.s.liveBytes(ctx, sg.Number)
		if err != nil {
			return nil, err
		}
		dead += max(0, sg.Bytes-live)
		if sg.Sealed && live < sg.Bytes/2 {
			list = append(list, sparse{sg, live})
		}
		if err := c.pause(ctx, begun); err != nil {
			return nil, err
		}
	}
	c.s.deadBytes.Store(dead)
	slices.SortStableFunc(list, func(a, b sparse) int { return cmp.Compare(a.live, b.live) })
	return list, nil
}

// liveBytes is what the records of a segment take that contents refer to.
func (s *Store) liveBytes(ctx context.Context, number uint32) (bytes int64, err error) {
	err = s.read(ctx, func(db *database.Conn) error {
		_, err := db.Row(func(r *database.Rows) { bytes = segment.Space(r.Int(0), r.Int(1)) },
			"SELECT COUNT(*), COALESCE(SUM(stored), 0) FROM contents WHERE segment = ?", number)
		return err
	})
	return bytes, err
}

// rewrite moves what is referred to out of a segment and removes it.
func (c *compaction) rewrite(ctx context.Context, v sparse) error {
	if v.live > 0 {
		if err := c.s.log.Room(v.live, compactReserve); err != nil {
			return c.s.writeError(err)
		}
	}
	for after := int64(-1); ; {
		begun := time.Now()
		contents, err := c.s.placed(ctx, v.Number, after)
		if err != nil {
			return err
		}
		if len(contents) == 0 {
			break
		}
		if err := c.move(ctx, contents); err != nil {
			return err
		}
		after = contents[len(contents)-1].ref.Offset
		if err := c.pause(ctx, begun); err != nil {
			return err
		}
	}
	return c.remove(ctx, v)
}

// placedContent is a content and where it lies.
type placedContent struct {
	id  int64
	ref segment.Ref
}

// placed returns the next contents of a segment whose records lie behind an offset, as many as one step moves.
func (s *Store) placed(ctx context.Context, number uint32, after int64) ([]placedContent, error) {
	var list []placedContent
	err := s.read(ctx, func(db *database.Conn) error {
		return db.Each(func(r *database.Rows) error { list = append(list, placedContent{r.Int(6), readRef(r)}); return nil },
			"SELECT "+refColumns+", c.id FROM contents c WHERE c.segment = ? AND c.offset > ? ORDER BY c.offset LIMIT ?",
			number, after, compactRows)
	})
	var bytes int64
	for i, p := range list {
		if bytes += p.ref.Size(); bytes > compactBytes && i > 0 {
			return list[:i], err
		}
	}
	return list, err
}

// move copies records as they are to the end of the log and has their contents refer to the copies, in one commit. The
// copy of a content that is removed meanwhile belongs to nobody.
func (c *compaction) move(ctx context.Context, contents []placedContent) error {
	o := &op{spare: true}
	var from []placedContent
	to := make([]segment.Ref, len(contents))
	for _, p := range contents {
		r, err := c.s.log.Stored(p.ref)
		if err != nil {
			c.s.logger.Error("cannot move a message", "content", p.id, "error", err)
			c.Unreadable++
			continue
		}
		o.records = append(o.records, record{Record: r, ref: &to[len(from)]})
		from = append(from, p)
	}
	if len(from) == 0 {
		return nil
	}
	o.apply = func(t *tx) error {
		for i, p := range from {
			_, err := t.db.Exec("UPDATE contents SET segment = ?, offset = ? WHERE id = ? AND segment = ? AND offset = ?",
				to[i].Segment, to[i].Offset, p.id, p.ref.Segment, p.ref.Offset)
			if err != nil {
				return fmt.Errorf("cannot move content %d: %w", p.id, err)
			}
		}
		return nil
	}
	bytes := o.bytes()
	if err := c.s.submit(ctx, o); err != nil {
		return err
	}
	c.Moved += bytes
	return nil
}

// remove removes the file of a segment that no content refers to, which the writer decides: it alone knows what is being
// committed. Nothing is added to a sealed segment, so that stays true, and it is durable once the operation has ended.
func (c *compaction) remove(ctx context.Context, v sparse) error {
	var referred bool
	err := c.s.submit(ctx, &op{apply: func(t *tx) (err error) {
		referred, err = t.db.Row(func(*database.Rows) {}, "SELECT 1 FROM contents WHERE segment = ? LIMIT 1", v.Number)
		return err
	}})
	if err != nil || referred {
		return err
	}
	if err := c.s.log.Remove(v.Number); err != nil {
		return err
	}
	c.s.deadBytes.Add(v.live - v.Bytes)
	c.Removed++
	c.Freed += v.Bytes
	return nil
}

// pause rests after a step.
func (c *compaction) pause(ctx context.Context, begun time.Time) error {
	if c.rest == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Duration(c.rest) * time.Since(begun))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
