package store

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	maxPending     = 4096     // operations that wait for the writer
	maxBatch       = 256      // operations in one transaction
	maxBatchBytes  = 32 << 20 // message bytes in one transaction, unless one message alone has more
	letComeRounds  = 8        // times that a batch waits for those who can run
	checkpointRows = 4000     // rows changed between two checkpoints, a bound for the WAL's size
)

// batch is what becomes durable together.
type batch struct {
	ops   []*op
	end   segment.Position // of its bytes
	begun time.Time
}

// write is the writer's goroutine. It takes one batch after the other: to sync the bytes of the next while the rows of this one
// are committed makes batches half as large, and costs more processor time than it saves waiting.
func (s *Store) write() {
	defer close(s.written)
	for b := s.gather(); b != nil; b = s.gather() {
		s.complete(b, s.start(b))
	}
}

// gather waits for something and takes all that waits. It returns nil once the store is closed.
func (s *Store) gather() *batch {
	b := new(batch)
	var bytes int64
	for len(b.ops) < maxBatch && bytes < maxBatchBytes {
		o := s.next(len(b.ops) == 0)
		if o == nil {
			break
		}
		if len(b.ops) == 0 {
			s.letCome()
		}
		if o.state.CompareAndSwap(opWaiting, opTaken) {
			b.ops = append(b.ops, o)
			bytes += o.bytes()
		}
	}
	if len(b.ops) == 0 {
		return nil
	}
	return b
}

// letCome lets goroutines that can run bring what they are about to submit: the batch that they would wait for otherwise costs
// as much as this one. It takes no time when there are none.
func (s *Store) letCome() {
	for range letComeRounds {
		waiting := len(s.pending)
		runtime.Gosched()
		if len(s.pending) == waiting {
			return
		}
	}
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

// start decides which operations are attempted and makes their bytes durable.
func (s *Store) start(b *batch) error {
	b.begun = time.Now()
	s.tx.now = s.now()
	for _, o := range b.ops {
		if o.err = s.Err(); o.err == nil && o.decide != nil {
			o.err = o.decide(s.tx)
		}
	}
	appended := s.appendBytes(b.ops)
	b.end = s.log.End()
	if !appended {
		return nil
	}
	return s.log.Sync()
}

// complete makes the changes of a batch whose bytes are durable, and answers its callers.
func (s *Store) complete(b *batch, syncErr error) {
	if syncErr != nil {
		failBytes(b.ops, s.writeError(syncErr))
	}
	err := s.commit(b)
	if err == nil {
		s.commits.Add(1)
		s.operations.Add(int64(len(b.ops)))
		s.commitTime.Add(int64(time.Since(b.begun)))
		s.tell()
		s.at("told")
	}
	s.tx.unpromise(0)
	s.tx.endBatch()
	for _, o := range b.ops {
		if o.err == nil {
			o.err = err
		}
		close(o.done)
	}
	s.checkpoint()
}

// appendBytes appends the messages of all operations that are still wanted, and tells whether there are any.
// When the log cannot be written, all of them fail: it takes back what was not synced.
func (s *Store) appendBytes(ops []*op) (appended bool) {
	s.haveRoom(ops, false, segment.Reserve)
	s.haveRoom(ops, true, compactReserve)
	for _, o := range ops {
		if o.err != nil {
			continue
		}
		for _, r := range o.records {
			if r.skip {
				continue
			}
			var err error
			if *r.ref, err = s.log.Append(r.Record); err != nil {
				failBytes(ops, s.writeError(err))
				return false
			}
			appended = true
		}
	}
	return appended
}

// haveRoom fails those operations, spare or not, for whose bytes the disk has no room.
func (s *Store) haveRoom(ops []*op, spare bool, reserve int64) {
	var bytes int64
	for _, o := range ops {
		if o.spare == spare && o.err == nil {
			bytes += o.bytes()
		}
	}
	if bytes == 0 {
		return
	}
	if err := s.log.Room(bytes, reserve); err != nil {
		err = s.writeError(err)
		for _, o := range ops {
			if o.spare == spare {
				o.failBytes(err)
			}
		}
	}
}

func failBytes(ops []*op, err error) {
	for _, o := range ops {
		o.failBytes(err)
	}
}

// failBytes fails the operation if it has bytes to append.
func (o *op) failBytes(err error) {
	if len(o.records) > 0 && o.err == nil {
		o.err = err
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

// tell announces what was committed.
func (s *Store) tell() {
	t := s.tx
	s.receivers.update(t.charged, t.accountsChanged)
	s.subscribers.broadcast(t.events)
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
	if t.postponed {
		select {
		case s.postponed <- struct{}{}:
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
