package engine

import (
	"context"
	"time"

	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/schedule"
	"gouv.tg/messagerie/loadtest/users"
)

// arrivals are this worker's share of a stream.
func (r *Run) arrivals(t *scenario.Stream) (*schedule.Arrivals, error) {
	begin := r.scenario.Begin()
	var curve schedule.Curve
	if t.Shape == scenario.Diurnal {
		curve = schedule.Diurnal(r.scenario.Total() - begin)
	}
	for _, p := range t.Curve {
		curve = append(curve, schedule.Point{At: time.Duration(p.At * float64(time.Second)), Factor: p.Factor})
	}
	for i := range curve {
		curve[i].At += begin
	}
	if err := curve.Validate(); err != nil {
		return nil, err
	}
	rate := r.scenario.PerSecond(t) / float64(r.in.Workers)
	seed := streamSeed(r.scenario.Seed, t.Name, r.in.Worker)
	if t.Arrivals == scenario.Constant {
		return schedule.Constant(rate, curve, seed, begin, r.scenario.Total()), nil
	}
	return schedule.Poisson(rate, curve, seed, begin, r.scenario.Total()), nil
}

// open begins operations at their intended times, whatever became of those before. What would exceed the bound of
// operations in flight is skipped, and counted. What was due before the load's end begins even if the generator gets to it
// later: its latency tells.
func (r *Run) open(ctx, load context.Context, env *users.Environment, t *scenario.Stream, a users.Activity, arrivals *schedule.Arrivals, at time.Time) {
	rng := schedule.Stream(r.scenario.Seed, "users of "+t.Name, r.in.Worker)
	for number := 0; ; number++ {
		offset, ok := arrivals.Next()
		intended := at.Add(offset)
		if !ok || !sleepUntil(ctx, intended) {
			return
		}
		r.late(offset, intended)
		user, own := rng.IntN(a.Users()), schedule.Stream(r.scenario.Seed, t.Name, number*r.in.Workers+r.in.Worker)
		if !env.Flight.Begin() {
			a.Skip(intended, own)
			continue
		}
		go func() {
			defer env.Flight.End()
			a.Perform(load, user, intended, own)
			r.performed(intended)
		}()
	}
}

// closed keeps so many users at it, each waiting for its answer: what they are slow in asking is not measured.
func (r *Run) closed(ctx, load context.Context, env *users.Environment, t *scenario.Stream, a users.Activity, at time.Time) {
	for i := range t.Concurrency {
		if i%r.in.Workers != r.in.Worker {
			continue
		}
		go func() { // what it is doing at the end is in flight, and waited for as such
			rng := schedule.Stream(r.scenario.Seed, t.Name, i)
			if !sleepUntil(ctx, at.Add(r.scenario.Begin())) {
				return
			}
			for ctx.Err() == nil {
				if !env.Flight.Begin() {
					a.Skip(time.Now(), rng)
					if !sleepUntil(ctx, time.Now().Add(turnedAway)) {
						return
					}
					continue
				}
				began := time.Now()
				a.Perform(load, rng.IntN(a.Users()), began, rng)
				env.Flight.End()
				r.performed(began)
				if users.Think(ctx, t.ThinkSeconds, rng) != nil {
					return
				}
				// A target that is down answers at once; a user does not ask a thousand times a second.
				if time.Since(began) < time.Millisecond && !sleepUntil(ctx, began.Add(time.Millisecond)) {
					return
				}
			}
		}()
	}
}

// turnedAway is how long a user of a closed stream waits when too much is in flight: the load must not shrink for good.
const turnedAway = 100 * time.Millisecond

// performed counts an activity that has ended.
func (r *Run) performed(intended time.Time) {
	if intended.Sub(r.start) >= r.scenario.WarmUp() {
		r.activities.Add(1)
		r.busy.Add(int64(time.Since(intended)))
	}
}

// beat is how often the generator looks whether it gets to run.
const beat = 10 * time.Millisecond

// heartbeat measures lateness where there are few operations: each beat that should have been counts, as an operation would.
// Only an abort ends it early: a generator that did not get to run before the load's end was late for all that it missed.
func (r *Run) heartbeat(ctx context.Context, at time.Time) {
	for offset := r.scenario.WarmUp(); offset < r.scenario.Total(); offset += beat {
		if !sleepUntil(ctx, at.Add(offset)) {
			return
		}
		r.late(offset, at.Add(offset))
	}
}

// late records how much after its time something begins; the warm-up does not count.
func (r *Run) late(offset time.Duration, intended time.Time) {
	if offset >= r.scenario.WarmUp() {
		r.recorder.Lag(time.Since(intended))
	}
}

// sleepUntil reports whether the time came before ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
