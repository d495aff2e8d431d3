package distribution

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// margin is the time between the decision to begin and the beginning.
	margin = 2 * time.Second
	// lateMargin is how short of the beginning a worker may still be told of it.
	lateMargin = 100 * time.Millisecond
	// patience is how long a worker may be silent.
	patience = 30 * time.Second
	// stopTime is how long workers may take to end after they were told to: that of a run's own end.
	stopTime = stuckTime + 30*time.Second

	interval = time.Second
	// share is the part of the time, one in so many, that may go into showing how the run goes.
	share = 20
	// quick is the interval while a step of the workers is all that is waited for.
	quick = 100 * time.Millisecond
)

// Coordinator brings workers through one run, step by step. What it does follows from what the workers say of themselves,
// so another coordinator can go on where one stopped. It is used by one goroutine at a time.
type Coordinator struct {
	workers []*member
	log     *slog.Logger
	runID   string

	aborted bool      // somebody wants the run to end early
	ending  time.Time // since when all are to end, for whatever reason
}

// member is a worker as the coordinator knows it.
type member struct {
	Worker
	input    func() (Input, error)
	state    State
	answered time.Time // when it last did
	offset   time.Duration
	failure  string // why the run is invalid; empty: nothing is wrong
	lost     bool   // there is no use in asking any more
	foreign  bool   // it works for somebody else
}

// View is where a run stands.
type View struct {
	Phase   Phase // the least of the workers'; Failed when the run is over and invalid
	At      time.Time
	Workers []WorkerView
	// Progress is that of all workers together. Its snapshot is there only when it was asked for.
	Progress Progress
}

// WorkerView is where one worker stands.
type WorkerView struct {
	Name   string
	Phase  Phase
	Reason string // what is wrong with it; empty: nothing
}

// Ended says whether there is nothing more to wait for.
func (v View) Ended() bool { return v.Phase.Ended() }

// NewCoordinator makes a coordinator of one run. input makes the input of worker i, when it is needed: it holds passwords
// and may be large. log may be nil.
func NewCoordinator(workers []Worker, runID string, input func(i int) (Input, error), log *slog.Logger) *Coordinator {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{log: log, runID: runID}
	now := time.Now()
	for i, w := range workers {
		c.workers = append(c.workers, &member{
			Worker: w, answered: now, state: State{Phase: Idle},
			input: func() (Input, error) { return input(i) },
		})
	}
	return c
}

// Abort has the run end early at the next step.
func (c *Coordinator) Abort() { c.aborted = true }

// Step looks at the workers, has them do what is next and says where the run stands. It takes as long as the slowest answer.
func (c *Coordinator) Step(ctx context.Context, snapshot bool) View {
	c.look(ctx, snapshot)
	if c.aborted || c.broken() {
		c.end(ctx)
		return c.view()
	}
	c.put(ctx)
	c.begin(ctx)
	return c.view()
}

// each does something to every worker that fits, at the same time.
func (c *Coordinator) each(fits func(*member) bool, do func(*member)) {
	var group sync.WaitGroup
	for _, m := range c.workers {
		if !m.lost && fits(m) {
			group.Go(func() { do(m) })
		}
	}
	group.Wait()
}

func everyone(*member) bool { return true }

// look asks all workers where they are.
func (c *Coordinator) look(ctx context.Context, snapshot bool) {
	c.each(everyone, func(m *member) {
		s, err := m.State(ctx, snapshot)
		switch {
		case err != nil && m.isLost() != nil:
			m.fail(m.isLost().Error())
			m.lost = true
		case err == nil && s.RunID != "" && s.RunID != c.runID:
			m.fail("it works on another run")
			m.lost, m.foreign = true, true
		case err == nil && s.Phase == Idle && m.state.Phase != Idle:
			m.fail("it began anew and has forgotten the run")
			m.lost = true
		case err == nil:
			m.state, m.answered = s, time.Now()
			if s.Phase == Failed && (!s.Unbegun || c.ending.IsZero()) {
				m.fail(s.Reason)
			}
		case ctx.Err() == nil && time.Since(m.answered) > patience:
			m.fail(fmt.Sprintf("it has not answered for %s: %v", patience, err))
			m.lost = true
		}
	})
}

// isLost says why a worker that does not answer never will again; nil when it may.
func (m *member) isLost() error {
	if l, ok := m.Worker.(Loser); ok {
		return l.Lost()
	}
	return nil
}

func (m *member) fail(reason string) {
	if m.failure == "" {
		m.failure = reason
	}
}

// broken says whether the run is invalid already: there is no use in going on then.
func (c *Coordinator) broken() bool {
	for _, m := range c.workers {
		if m.failure != "" {
			return true
		}
	}
	return false
}

// end has all workers end that have not, and gives up on those that take too long.
func (c *Coordinator) end(ctx context.Context) {
	if c.ending.IsZero() {
		c.ending = time.Now()
	}
	c.each(func(m *member) bool { return !m.state.Phase.Ended() }, func(m *member) {
		err := m.Abort(ctx)
		switch {
		case m.state.Phase == Idle:
			m.lost = true // it has nothing to end
		case time.Since(c.ending) > stopTime:
			m.fail(fmt.Sprintf("it did not end within %s of being told to", stopTime))
			m.lost = true
		case err != nil:
			c.log.Warn("a worker does not take the order to end", "worker", m.Name(), "error", err)
		}
	})
}

// put hands their inputs to workers that have none.
func (c *Coordinator) put(ctx context.Context) {
	c.each(func(m *member) bool { return m.state.Phase == Idle }, func(m *member) {
		in, err := m.input()
		if err != nil {
			m.fail(err.Error())
			return
		}
		err = m.Put(ctx, in)
		switch {
		case err == nil:
			m.state.Phase = Preparing
		case answered(err) || errors.Is(err, ErrPhase):
			m.fail(err.Error())
		}
	})
}

// begin is the barrier: once all are prepared they get one time to begin. One that was not told by then, because the
// coordinator or the network failed meanwhile, makes the run invalid.
func (c *Coordinator) begin(ctx context.Context) {
	at := time.Time{}
	waiting := false
	for _, m := range c.workers {
		switch m.state.Phase {
		case Idle, Preparing:
			return
		case Prepared:
			waiting = true
		}
		if !m.state.At.IsZero() {
			at = m.state.At
		}
	}
	if !waiting {
		return
	}
	if at.IsZero() {
		if !c.compareClocks(ctx) {
			return
		}
		at = time.Now().Add(margin)
		c.log.Info("all workers begin", "at", at, "workers", len(c.workers))
	}
	c.each(func(m *member) bool { return m.state.Phase == Prepared }, func(m *member) {
		if time.Until(at) < lateMargin {
			m.fail("it could not be told in time to begin")
			return
		}
		err := m.Start(ctx, at)
		switch {
		case err == nil:
			m.state.Phase, m.state.At = Running, at
		case answered(err) || errors.Is(err, ErrLate):
			m.fail(err.Error())
		}
	})
}

// compareClocks fails the workers whose clocks are off, and says whether all could be asked and are right.
func (c *Coordinator) compareClocks(ctx context.Context) bool {
	var mu sync.Mutex
	good := true
	c.each(everyone, func(m *member) {
		theta, err := offset(ctx, m.Worker)
		if err == nil {
			m.offset = theta
			if far := tooFar(theta); far != nil {
				m.fail(far.Error())
				err = far
			}
		}
		if err != nil {
			mu.Lock()
			good = false
			mu.Unlock()
		}
	})
	return good
}
