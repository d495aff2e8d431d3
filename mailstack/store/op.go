package store

import (
	"context"
	"sync/atomic"

	"gouv.tg/messagerie/mailstack/store/segment"
)

// op is one caller's operation. Its functions run on the writer's goroutine, possibly more than once:
// they set their results anew each time.
type op struct {
	records []record // appended to the log before apply
	share   bool     // contents may be found that need not be appended
	spare   bool     // their room may come out of the reserve
	// decide refuses what needs no attempt, before bytes are appended. It changes nothing but promises.
	decide func(*tx) error
	// apply makes the changes. When it fails it should do so before its first change: undoing costs the
	// whole batch a second attempt.
	apply func(*tx) error

	state atomic.Int32
	err   error
	done  chan struct{}
}

// record is what to append to the log, and where it then lies.
type record struct {
	segment.Record
	ref  *segment.Ref
	skip bool // decide found that it is not needed
}

// bytes is how many bytes the operation appends.
func (o *op) bytes() (sum int64) {
	for _, r := range o.records {
		if !r.skip {
			sum += r.Size()
		}
	}
	return sum
}

const (
	opWaiting int32 = iota
	opTaken
	opCancelled
)

// submit runs an operation and returns when it is on disk. Once the writer has taken it, the end of ctx no
// longer matters: the outcome is known within the time of a commit, and must be.
func (s *Store) submit(ctx context.Context, o *op) error {
	defer func() {
		for _, r := range o.records {
			r.Release()
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
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
