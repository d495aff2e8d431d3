package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	maxPending     = 4096     // operations that wait for the writer
	maxBatch       = 256      // operations in one transaction
	maxBatchBytes  = 32 << 20 // message bytes in one transaction, unless one message alone has more
	checkpointRows = 4000     // rows changed between two checkpoints, a bound for the WAL's size
)

// op is one caller's operation. Its functions run on the writer's goroutine, possibly more than once:
// they set their results anew each time.
type op struct {
	raw []byte // bytes to append to the log before apply
	ref segment.Ref
	// decide refuses what needs no attempt, before bytes are appended. It changes nothing but promises.
	decide func(*tx) error
	// apply makes the changes. When it fails it should do so before its first change: undoing costs the
	// whole batch a second attempt.
	apply func(*tx) error

	state atomic.Int32
	err   error
	done  chan struct{}
}

const (
	opWaiting int32 = iota
	opTaken
	opCancelled
)

// submit runs an operation and returns when it is on disk. Once the writer has taken it, the end of ctx no
// longer matters: the outcome is known within the time of a commit, and must be.
func (s *Store) submit(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(o.raw) > segment.MaxRecord {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(o.raw))
	}
	if err := s.Err(); err != nil {
		return err
	}
	o.done = make(chan struct{})
	if err := s.enqueue(o); err != nil {
		return err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		if o.state.CompareAndSwap(opWaiting, opCancelled) {
			return ctx.Err()
		}
		<-o.done
	}
	return o.err
}

func (s *Store) enqueue(o *op) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case s.pending <- o:
		return nil
	default:
		return ErrTooManyPending
	}
}

// batch is what becomes durable together.
type batch struct {
	ops      []*op
	promises []promise
	end      segment.Position // of its bytes
	synced   chan error
}

// write is the writer's goroutine. While one batch's rows are written and committed, the bytes of the next
// are being synced.
func (s *Store) write() {
	defer close(s.written)
	var current *batch
	for {
		var syncErr error
		if current != nil {
			syncErr = <-current.synced
		}
		next := s.gather(current == nil)
		if next != nil {
			s.start(next)
		}
		switch {
		case current != nil:
			s.complete(current, syncErr)
		case next == nil:
			return
		}
		current = next
	}
}

// gather takes what is waiting. With wait it waits for something, and returns nil once the store is closed.
func (s *Store) gather(wait bool) *batch {
	b := &batch{synced: make(chan error, 1)}
	bytes := 0
	for len(b.ops) < maxBatch && bytes < maxBatchBytes {
		o := s.next(wait && len(b.ops) == 0)
		if o == nil {
			break
		}
		if o.state.CompareAndSwap(opWaiting, opTaken) {
			b.ops = append(b.ops, o)
			bytes += len(o.raw)
		}
	}
	if len(b.ops) == 0 {
		return nil
	}
	return b
}

func (s *Store) next(wait bool) *op {
	if wait {
		return <-s.pending
	}
	select {
	case o := <-s.pending:
		return o
	default:
		return nil
	}
}

// start decides which operations are attempted, appends their bytes and starts to sync them.
func (s *Store) start(b *batch) {
	s.tx.now = s.now()
	for _, o := range b.ops {
		if o.err = s.Err(); o.err == nil && o.decide != nil {
			o.err = o.decide(s.tx)
		}
	}
	b.promises, s.tx.promises = s.tx.promises, nil
	appended := s.appendBytes(b.ops)
	b.end = s.log.End()
	if !appended {
		b.synced <- nil
		return
	}
	go func() { b.synced <- s.log.Sync() }()
}

// complete makes the changes of a batch whose bytes are durable, and answers its callers.
func (s *Store) complete(b *batch, syncErr error) {
	if syncErr != nil {
		failBytes(b.ops, s.writeError(syncErr))
	}
	err := s.commit(b)
	if err == nil {
		s.tell()
	}
	for _, p := range b.promises {
		p.account.promised -= p.bytes
	}
	s.tx.endBatch()
	for _, o := range b.ops {
		if o.err == nil {
			o.err = err
		}
		close(o.done)
	}
	s.checkpoint()
}

// commit makes a batch's changes durable. Its error concerns all operations that have no error of their own.
func (s *Store) commit(b *batch) error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	var err error
	if !s.apply(b.ops) {
		if err = s.rollback(); err == nil {
			err = s.applyOneByOne(b.ops)
		}
	}
	if err == nil {
		err = s.finish(b.end)
	}
	if err != nil {
		if rerr := s.rollback(); rerr != nil {
			s.fail(rerr)
		}
	}
	return fullDisk(err)
}

// fullDisk lets callers recognise SQLite's error for a full disk.
func fullDisk(err error) error {
	if database.IsFull(err) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

func (s *Store) begin() error {
	if err := s.tx.db.Control("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("cannot begin: %w", err)
	}
	return nil
}

// appendBytes appends the messages of all operations that are still wanted, and tells whether there are any.
// When the log cannot be written, all of them fail: it takes back what was not synced.
func (s *Store) appendBytes(ops []*op) (appended bool) {
	var bytes int64
	for _, o := range ops {
		if o.err == nil {
			bytes += int64(len(o.raw))
		}
	}
	if bytes > 0 {
		if err := s.log.Room(bytes); err != nil {
			failBytes(ops, s.writeError(err))
			return false
		}
	}
	for _, o := range ops {
		if o.raw == nil || o.err != nil {
			continue
		}
		var err error
		if o.ref, err = s.log.Append(o.raw); err != nil {
			failBytes(ops, s.writeError(err))
			return false
		}
		appended = true
	}
	return appended
}

func failBytes(ops []*op, err error) {
	for _, o := range ops {
		if o.raw != nil && o.err == nil {
			o.err = err
		}
	}
}

// writeError turns an error of the log into one for callers.
func (s *Store) writeError(err error) error {
	if errors.Is(err, segment.ErrFailed) {
		s.fail(err)
		return s.Err()
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("cannot store the message: %w: %w", ErrDiskFull, err)
	}
	return fmt.Errorf("cannot store the message: %w", err)
}

// apply runs the operations in the transaction. It returns false when one failed halfway.
func (s *Store) apply(ops []*op) (clean bool) {
	t := s.tx
	for _, o := range ops {
		if o.err != nil {
			continue
		}
		mark, events := t.mark(), len(t.events)
		if err := o.apply(t); err != nil {
			if t.mark() != mark || !isRefusal(err) {
				return false
			}
			t.events = t.events[:events]
			o.err = err
		}
	}
	return t.flush() == nil
}

// applyOneByOne gives every operation a savepoint, after the batch as a whole has failed.
func (s *Store) applyOneByOne(ops []*op) error {
	t := s.tx
	if err := s.begin(); err != nil {
		return err
	}
	for _, o := range ops {
		if o.err != nil {
			continue
		}
		if err := t.db.Control("SAVEPOINT operation"); err != nil {
			return fmt.Errorf("cannot set a savepoint: %w", err)
		}
		told := t.told()
		o.err = o.apply(t)
		if o.err == nil {
			o.err = t.flush()
		}
		if o.err != nil {
			o.err = fullDisk(o.err)
			// This fails if SQLite has undone the whole transaction, and then so does the batch.
			if err := t.db.Control("ROLLBACK TO operation"); err != nil {
				return fmt.Errorf("%w (cannot go back to a savepoint: %w)", o.err, err)
			}
			t.untell(told)
			if err := t.forget(); err != nil {
				return err
			}
		}
		if err := t.db.Control("RELEASE operation"); err != nil {
			return fmt.Errorf("cannot release a savepoint: %w", err)
		}
	}
	return nil
}

// finish writes the counters and commits.
func (s *Store) finish(end segment.Position) error {
	t := s.tx
	_, err := t.db.Exec("UPDATE meta SET uid_validity = ?, segment = ?, offset = ? WHERE id = 1",
		t.uidValidity, end.Segment, end.Offset)
	if err != nil {
		return fmt.Errorf("cannot write the store's counters: %w", err)
	}
	if err := t.db.Control("COMMIT"); err != nil {
		if !database.IsFull(err) {
			// The WAL's sync may have failed: the transaction may be on disk or not.
			s.fail(fmt.Errorf("cannot commit: %w", err))
			return s.Err()
		}
		return err
	}
	return nil
}

// rollback ends the transaction and forgets what it had changed in memory.
func (s *Store) rollback() error {
	// SQLite may have ended the transaction by itself; then this fails, and nothing is left to undo.
	_ = s.tx.db.Control("ROLLBACK")
	s.tx.untell(told{})
	return s.tx.forget()
}

// tell announces what was committed.
func (s *Store) tell() {
	t := s.tx
	s.hub.broadcast(t.events, t.removed)
	if t.accountsChanged {
		s.accountsChanged.notify()
	}
	if t.queueChanged {
		s.queueChanged.notify()
	}
	if t.swept {
		select {
		case s.sweep <- struct{}{}:
		default:
		}
	}
}

// checkpoint keeps the WAL small. An error may mean that a sync of the database file has failed.
func (s *Store) checkpoint() {
	if s.tx.db.Writes()-s.checkpointed < checkpointRows || s.Err() != nil {
		return
	}
	s.checkpointed = s.tx.db.Writes()
	if _, _, err := s.tx.db.Checkpoint(); err != nil && !database.IsFull(err) {
		s.fail(fmt.Errorf("cannot checkpoint: %w", err))
	}
}
