// Package users holds the virtual users of a load test: state machines over real protocol clients that do what agents
// do, measure each step from when it should have begun, and look at what they are told.
package users

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/wire"
)

// Environment is what virtual users share within one worker.
type Environment struct {
	Scenario   *scenario.Scenario
	Recorder   *record.Recorder
	Content    *content.Run
	Poller     *wire.Poller
	Population *Population
	Flight     *Flight
	// Load ends when the test does: operations under it fail then.
	Load context.Context

	next atomic.Uint64 // spreads messages' random streams
}

// Activity is something agents do. Perform does it once, for one user of this worker, and records its operations. It
// returns when it is done, failed, or when ctx has ended.
type Activity interface {
	// Users is how many users of this worker can do it; Perform takes an index below it.
	Users() int
	Perform(ctx context.Context, user int, intended time.Time, rng *rand.Rand)
	// Skip counts it as not begun, under the operation whose latency counts from the intended start: a quantile of those that
	// were begun says nothing of it.
	Skip(intended time.Time, rng *rand.Rand)
	// Close lets go of what was kept.
	Close(ctx context.Context)
}

// New makes the activity of a stream. desktops are the sessions held all day.
func New(env *Environment, stream *scenario.Stream, desktops *Desktops) Activity {
	switch stream.Activity {
	case scenario.MX:
		return newSender(env, stream, senderMX)
	case scenario.LMTP:
		return newSender(env, stream, senderLMTP)
	case scenario.Submission:
		return newSender(env, stream, senderSubmission)
	case scenario.Phone:
		return newPhone(env, stream.ThinkSeconds)
	default:
		return newActions(stream, desktops)
	}
}

// operation bounds one step of a user.
func (e *Environment) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.Scenario.Timeout())
}

// Think pauses for an exponential time with a mean of so many seconds, at most ten times that.
func Think(ctx context.Context, mean float64, rng *rand.Rand) error {
	return pause(ctx, time.Duration(min(rng.ExpFloat64(), 10)*mean*float64(time.Second)))
}

// pause waits, or returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Flight bounds what is begun and not finished, and can wait for its end.
type Flight struct {
	recorder *record.Recorder
	most     int64
	now      atomic.Int64
	peak     atomic.Int64
}

// NewFlight makes a Flight for at most that many at once.
func NewFlight(r *record.Recorder, most int) *Flight { return &Flight{recorder: r, most: int64(most)} }

// Begin takes a place, if there is one.
func (f *Flight) Begin() bool {
	n := f.now.Add(1)
	if n > f.most {
		f.now.Add(-1)
		return false
	}
	for peak := f.peak.Load(); n > peak && !f.peak.CompareAndSwap(peak, n); peak = f.peak.Load() {
	}
	f.recorder.InFlight(1)
	return true
}

// End gives it back.
func (f *Flight) End() {
	f.recorder.InFlight(-1)
	f.now.Add(-1)
}

// Now is how many there are, Peak the most there were.
func (f *Flight) Now() int64  { return f.now.Load() }
func (f *Flight) Peak() int64 { return f.peak.Load() }

// Wait returns nil once nothing is in flight, or ctx's error.
func (f *Flight) Wait(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for f.Now() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
