package distribution

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/scenario"
)

const (
	// prepareTime bounds the preparation of a run.
	prepareTime = 5 * time.Minute
	// overrun is how long after its planned end a run may still take.
	overrun = 2 * time.Minute
	// stuckTime is how long an engine may take to end once it was told to.
	stuckTime = 30 * time.Second
	// furthest is how far ahead a start may lie.
	furthest = 10 * time.Minute
)

// Local is a worker in this process.
type Local struct {
	name   string
	engine Engine
	log    *slog.Logger
	ctx    context.Context // of everything the worker does
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	phase   Phase
	reason  string
	unbegun bool // aborted before it began
	runID   string
	part    int // the input's Worker
	plan    scenario.Scenario
	at      time.Time
	run     Share
	stop    context.CancelFunc // of what is going on; nil: nothing is
	result  *Result
}

// NewLocal makes an idle worker. It must be closed.
func NewLocal(name string, engine Engine, log *slog.Logger) *Local {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Local{name: name, engine: engine, log: log, ctx: ctx, cancel: cancel, phase: Idle}
}

// Name is the worker's.
func (l *Local) Name() string { return l.name }

// Put begins to prepare.
func (l *Local) Put(_ context.Context, in Input) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase != Idle {
		if l.runID == in.RunID && l.part == in.Worker {
			return nil
		}
		return fmt.Errorf("%w: the worker is %s with another run", ErrPhase, l.phase)
	}
	if l.ctx.Err() != nil {
		return fmt.Errorf("%w: the worker is closed", ErrPhase)
	}
	l.phase, l.runID, l.part, l.plan = Preparing, in.RunID, in.Worker, in.Scenario
	ctx, stop := context.WithTimeout(l.ctx, prepareTime)
	l.stop = stop
	l.tasks.Go(func() {
		defer stop()
		run, err := bounded(ctx, func() (Share, error) { return l.engine.Prepare(ctx, in, l.log) })
		l.prepared(run, err)
	})
	return nil
}

func (l *Local) prepared(run Share, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = nil
	if l.phase != Preparing {
		return // aborted meanwhile
	}
	if err != nil {
		l.phase, l.reason = Failed, err.Error()
		l.log.Error("the run cannot be prepared", "error", err)
		return
	}
	l.phase, l.run = Prepared, run
	l.log.Info("prepared")
}

// Start has the run begin at a time to come.
func (l *Local) Start(_ context.Context, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.at.IsZero() && l.at.Equal(at):
		return nil
	case l.phase != Prepared:
		return fmt.Errorf("%w: the worker is %s", ErrPhase, l.phase)
	case !at.After(time.Now()):
		return fmt.Errorf("%w by %s", ErrLate, time.Since(at).Round(time.Millisecond))
	case time.Until(at) > furthest:
		return fmt.Errorf("at: found a time %s ahead; accepted are at most %s", time.Until(at).Round(time.Second), furthest)
	}
	l.phase, l.at = Running, at
	end := at.Add(l.plan.Total() + l.plan.Settle() + overrun)
	ctx, stop := context.WithDeadline(l.ctx, end)
	l.stop = stop
	run := l.run
	l.tasks.Go(func() {
		defer stop()
		result, err := bounded(ctx, func() (*Result, error) { return run.Start(ctx, at) })
		if err == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("the run did not end by itself within %s of its time", overrun)
		}
		l.ended(result, err)
	})
	l.log.Info("told to begin", "at", at)
	return nil
}

func (l *Local) ended(result *Result, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop, l.result = nil, result
	if err == nil && result == nil {
		err = errors.New("the run ended without a result")
	}
	if err != nil {
		l.phase, l.reason = Failed, err.Error()
		l.log.Error("the run failed", "error", err)
		return
	}
	l.phase = Done
	l.log.Info("done", "aborted", result.Aborted)
}

// bounded calls f and gives up on it stuckTime after the end of ctx: an engine that hangs must not take its worker along.
func bounded[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := f()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(stuckTime)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.value, a.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("the engine did not end within %s of being told to: %w", stuckTime, context.Cause(ctx))
	}
}

// State says how far the worker is.
func (l *Local) State(_ context.Context, snapshot bool) (State, error) {
	received := time.Now()
	l.mu.Lock()
	s := State{Phase: l.phase, Reason: l.reason, Unbegun: l.unbegun, RunID: l.runID, At: l.at, Received: received}
	run := l.run
	l.mu.Unlock()
	if run != nil {
		p := run.Progress(snapshot)
		s.Progress = &p
	}
	s.Sent = time.Now()
	return s, nil
}

// Abort ends what is going on early. A run that has begun still gives a result.
func (l *Local) Abort(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == Preparing || l.phase == Prepared {
		l.phase, l.reason, l.unbegun = Failed, "aborted before it began", true
	}
	if l.stop != nil {
		l.stop()
	}
	return nil
}

// Result is what was measured.
func (l *Local) Result(context.Context) (*Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.result == nil {
		if l.phase == Failed {
			return nil, fmt.Errorf("%w: there is no result: %s", ErrPhase, l.reason)
		}
		return nil, ErrNotDone
	}
	return l.result, nil
}

// Close ends everything and waits for it, at most until ctx ends.
func (l *Local) Close(ctx context.Context) error {
	l.cancel()
	done := make(chan struct{})
	go func() {
		l.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cannot wait for worker %s: %w", l.name, ctx.Err())
	}
}
