package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/schedule"
	"gouv.tg/messagerie/loadtest/users"
	"gouv.tg/messagerie/loadtest/wire"
)

// Bounds of a run's end.
const (
	maxDrain  = 30 * time.Second // for what was begun in time
	abandon   = 5 * time.Second  // after everything was told to stop
	pollers   = 4
	connectAt = 64 // sessions being opened at once

	// maxTracked is how many deliveries a worker remembers, those not yet seen before others: some 2 MiB. A second copy that
	// comes so many deliveries later is not noticed.
	maxTracked = 16_384
)

// Start begins at the given time and returns when all is done. When ctx ends the run stops early; its result is still
// complete, and says so. A Run starts once.
func (r *Run) Start(ctx context.Context, at time.Time) (*Result, error) {
	poller, err := wire.NewPoller(pollers)
	if err != nil {
		return nil, fmt.Errorf("cannot watch sessions: %w", err)
	}
	defer poller.Close()
	// A time that came from elsewhere has no monotonic reading: a clock that is set must not become a latency.
	now := time.Now()
	at = now.Add(at.Sub(now))
	s := r.scenario
	load, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	recorder := record.New(record.Options{Start: at, WarmUp: s.WarmUp(), End: at.Add(s.Total())})
	env := &users.Environment{
		Scenario: s, Recorder: recorder, Poller: poller, Population: r.population, Load: load,
		Flight:  users.NewFlight(recorder, s.MaxInFlight),
		Content: content.NewRun(r.in.RunID, r.in.Worker, s.Seed, contentOptions(s)),
	}
	desktops := users.NewDesktops(env)
	r.mu.Lock()
	r.start, r.recorder, r.flight, r.desktops, r.content, r.phase = at, recorder, env.Flight, desktops, env.Content, Waiting
	r.mu.Unlock()

	usage := startUsage(at.Add((s.WarmUp()+s.Total())/2), at.Add(s.Total()))
	defer usage.stop()
	activities, err := r.drive(ctx, load, env, desktops, at)
	var reasons []string
	if ctx.Err() == nil && err == nil {
		reasons = shortfall(int64(desktops.Len()), r.opened.Load())
	}
	if err != nil {
		reasons = append(reasons, err.Error())
	}

	// What was begun may end.
	r.enter(Draining)
	drain := min(s.Timeout(), maxDrain)
	if ctx.Err() != nil {
		drain = time.Second
	}
	if !waitFor(env.Flight, drain) {
		stop()
		if !waitFor(env.Flight, abandon) {
			reasons = append(reasons, fmt.Sprintf("%d operations hung and did not end when told to", env.Flight.Now()))
		}
	}
	if ctx.Err() == nil && s.Settle() > 0 {
		r.enter(Settling)
		wanted, read := desktops.Settle(ctx, s.Settle())
		reasons = append(reasons, r.unread(wanted, read, ctx.Err() != nil)...)
	}
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandon)
	for _, a := range activities {
		a.Close(leave)
	}
	desktops.Close(leave)
	cancel()
	stop()
	r.enter(Done)
	result := &Result{Snapshot: recorder.Snapshot(), Content: env.Content.Summary(), Aborted: ctx.Err() != nil}
	result.Generator = usage.generator(result.Snapshot, env.Flight.Peak(), desktops.Peak())
	result.Generator.Activities, result.Generator.ActivitySeconds = r.activities.Load(), time.Duration(r.busy.Load()).Seconds()
	result.Reasons = append(reasons, judge(result, s)...)
	return result, nil
}

func waitFor(f *users.Flight, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return f.Wait(ctx) == nil
}

// drive opens the sessions and runs the streams until the load's time is over or ctx ends.
func (r *Run) drive(ctx, load context.Context, env *users.Environment, desktops *users.Desktops, at time.Time) ([]users.Activity, error) {
	s := r.scenario
	whole, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, end := context.WithDeadline(whole, at.Add(s.Total()))
	defer end()
	if !sleepUntil(ctx, at) {
		return nil, nil
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { r.phases(ctx, at) })
	group.Go(func() { r.connect(ctx, load, desktops, at) })
	group.Go(func() { r.heartbeat(whole, at) })
	var activities []users.Activity
	for i := range s.Streams {
		t := &s.Streams[i]
		a := users.New(env, t, desktops)
		activities = append(activities, a)
		if a.Users() == 0 {
			cancel()
			return activities, fmt.Errorf("streams[%d]: found no session for it on this worker; accepted are fewer workers, or a higher sessions.share", i)
		}
		if t.Model == scenario.Closed {
			r.closed(ctx, load, env, t, a, at)
			continue
		}
		arrivals, err := r.arrivals(t)
		if err != nil {
			cancel()
			return activities, err
		}
		group.Go(func() { r.open(whole, load, env, t, a, arrivals, at) })
	}
	return activities, nil
}

// phases tells where the run is.
func (r *Run) phases(ctx context.Context, at time.Time) {
	for _, step := range []struct {
		phase Phase
		after time.Duration
	}{{Connecting, 0}, {WarmUp, r.scenario.Begin()}, {Measuring, r.scenario.WarmUp()}} {
		if !sleepUntil(ctx, at.Add(step.after)) {
			return
		}
		if step.phase == Measuring {
			r.opened.Store(r.desktops.Open())
		}
		r.enter(step.phase)
	}
}

// connect opens the long sessions, evenly over the time for it, and no more at once than a login costs a server. People come to work
// in all buildings at once.
func (r *Run) connect(ctx, load context.Context, desktops *users.Desktops, at time.Time) {
	n := desktops.Len()
	places := make(chan struct{}, connectAt)
	for i, user := range schedule.Stream(r.scenario.Seed, "sessions", r.in.Worker).Perm(n) {
		intended := at.Add(r.scenario.Begin() * time.Duration(i) / time.Duration(n))
		if !sleepUntil(ctx, intended) {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		go func() {
			defer func() { <-places }()
			desktops.Connect(load, user, intended)
		}()
	}
}

// unread reports mailboxes that were to be compared with what was acknowledged and could not be read: a message that nobody
// looked for is not there. A test that reads no mail otherwise looks as far as it can.
func (r *Run) unread(wanted, read int, aborted bool) []string {
	logsIn := slices.ContainsFunc(r.scenario.Needs(), func(protocols []string) bool { return protocols[0] == "imaps" })
	if aborted || !logsIn || read == wanted {
		return nil
	}
	return []string{fmt.Sprintf("checks.settle: found %d of %d mailboxes read to the end within %s; accepted are all", read, wanted, r.scenario.Settle())}
}

// shortfall reports sessions that were to be open when measuring began and were not: then the load was not what was asked
// for. Those that are lost later are errors of the target's.
func shortfall(wanted, open int64) []string {
	if float64(open) < 0.99*float64(wanted) {
		return []string{fmt.Sprintf("sessions: found %d of %d open when measuring began; accepted are 99 %%", open, wanted)}
	}
	return nil
}

func contentOptions(s *scenario.Scenario) content.Options {
	o := content.Options{
		RecipientsMean: s.Messages.Recipients, MaxTracked: maxTracked,
		ReplyShare: s.Messages.ReplyShare, AttachmentShare: s.Messages.AttachmentShare, Witnesses: s.Checks.Witnesses,
	}
	if s.Messages.Sizes == scenario.Office {
		o.Sizes, o.MeanBytes, o.MaxBytes = content.Office, int(s.Messages.MeanKilobytes*1024), int(s.Messages.MaxKilobytes*1024)
	}
	return o
}

// streamSeed gives each stream of each worker numbers of its own: successive ones, by which constant streams interleave.
func streamSeed(seed uint64, name string, worker int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", seed, name)
	return h.Sum64() + uint64(worker)
}
