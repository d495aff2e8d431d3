package users

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

// Bounds of a desktop.
const (
	maxTasks     = 8 // actions waiting for their session; more are skipped
	firstBackoff = time.Second
	maxBackoff   = time.Minute
	farewell     = 5 * time.Second // for the answers to the last LOGOUTs
)

// Desktops are the sessions that agents hold all day: idle almost always, without a goroutine and without buffers then.
type Desktops struct {
	env             *Environment
	steps           *steps
	notify, deliver *record.Operation
	list            []desktop
	open, peak      atomic.Int64
	closing         atomic.Bool // no session begins to idle any more: nobody would log it out

	asked      atomic.Bool // about the folder for what was sent
	sentFolder atomic.Pointer[string]
}

// desktop is one of them.
type desktop struct {
	mu      sync.Mutex
	state   state
	session *session // nil: down
	tasks   []task
	broken  bool // the poller found the connection gone
	backoff time.Duration
}

type state uint8

const (
	down  state = iota
	busy        // one goroutine owns the session
	idle        // the poller watches it
	still       // at the end: out of IDLE, and nobody's
)

// task is an action that was due at a time.
type task struct {
	action   scenario.Action
	intended time.Time
	rng      *rand.Rand
	done     chan struct{} // closed when it was done, or never will be
}

// NewDesktops makes the long sessions of this worker's users; none is open yet.
func NewDesktops(env *Environment) *Desktops {
	d := &Desktops{
		env: env, steps: newSteps(env, "imap."), notify: env.Recorder.Operation("imap.idle.notify"),
		deliver: env.Recorder.Operation("e2e.deliver"),
		list:    make([]desktop, int(float64(env.Population.Len())*env.Scenario.Sessions.Share+0.5)),
	}
	fallback := inbox
	d.sentFolder.Store(&fallback)
	return d
}

// Len is how many sessions there are to be, Open how many are open, Peak the most that were.
func (d *Desktops) Len() int    { return len(d.list) }
func (d *Desktops) Open() int64 { return d.open.Load() }
func (d *Desktops) Peak() int64 { return d.peak.Load() }

// Connect opens the session of a user and lets it idle.
func (d *Desktops) Connect(ctx context.Context, user int, intended time.Time) {
	if d.closing.Load() {
		return
	}
	if !d.env.Flight.Begin() {
		d.steps.connect.Skipped(intended)
		d.retry(ctx, user)
		return
	}
	defer d.env.Flight.End()
	desk := &d.list[user]
	desk.mu.Lock()
	if desk.state != down {
		desk.mu.Unlock()
		return
	}
	desk.state = busy
	desk.mu.Unlock()
	s := &session{env: d.env, steps: d.steps, user: user, checked: user < d.env.Scenario.Checks.Mirrors}
	err := s.open(ctx, intended)
	if err == nil && s.checked {
		err = s.learn(ctx)
	}
	if err != nil {
		s.drop()
		d.lost(ctx, user)
		return
	}
	d.findSent(ctx, s)
	n := d.open.Add(1)
	d.env.Recorder.Sessions(1)
	for peak := d.peak.Load(); n > peak && !d.peak.CompareAndSwap(peak, n); peak = d.peak.Load() {
	}
	desk.mu.Lock()
	desk.session, desk.backoff, desk.broken = s, 0, false
	desk.mu.Unlock()
	d.work(ctx, user)
}

// findSent asks whether accounts have a folder for what was sent: one session, or the next one where that fails.
func (d *Desktops) findSent(ctx context.Context, s *session) {
	if !d.asked.CompareAndSwap(false, true) {
		return
	}
	ctx, cancel := d.env.operation(ctx)
	defer cancel()
	names, err := s.client.List(ctx, "*")
	if err != nil {
		d.asked.Store(false)
		return
	}
	for _, name := range names {
		if name == "Sent" {
			d.sentFolder.Store(&name)
		}
	}
}

// perform gives a session something to do: now if it idles, after what it is doing otherwise. It returns when it is done: until
// then it is in flight, and whoever asked for it waits.
func (d *Desktops) perform(ctx context.Context, user int, t task) {
	desk, op := &d.list[user], d.steps.operation(t.action)
	desk.mu.Lock()
	if desk.state == down || desk.session == nil {
		desk.mu.Unlock()
		op.Failed(t.intended, time.Now(), "no session")
		return
	}
	if len(desk.tasks) == maxTasks {
		desk.mu.Unlock()
		op.Skipped(t.intended)
		return
	}
	t.done = make(chan struct{})
	desk.tasks = append(desk.tasks, t)
	wake := desk.state == idle
	if wake {
		desk.state = busy
	}
	desk.mu.Unlock()
	if wake {
		d.wake(ctx, user)
		return
	}
	select {
	case <-t.done:
	case <-ctx.Done():
	}
}

// wake ends IDLE and does what there is to do. The caller has made the session busy.
func (d *Desktops) wake(ctx context.Context, user int) {
	if d.endIdle(ctx, user) {
		d.work(ctx, user)
	}
}

// endIdle has the session of the caller leave IDLE, or gives it up.
func (d *Desktops) endIdle(ctx context.Context, user int) bool {
	s := d.list[user].session
	end, cancel := d.env.operation(ctx)
	defer cancel()
	if err := s.client.Done(end); err != nil {
		s.steps.idle.Failed(time.Now(), time.Now(), classify(err))
		d.fail(ctx, user)
		return false
	}
	return true
}

// work does what there is to do and goes back to IDLE.
func (d *Desktops) work(ctx context.Context, user int) {
	desk := &d.list[user]
	s := desk.session
	for {
		for s.news() {
			if broken(s.collect(ctx, s.arrivals[0].at, d.delivered)) {
				d.fail(ctx, user)
				return
			}
		}
		desk.mu.Lock()
		if len(desk.tasks) == 0 {
			desk.tasks = nil
			desk.mu.Unlock()
			if !d.rest(ctx, user) {
				return
			}
			continue
		}
		t := desk.tasks[0]
		desk.tasks = desk.tasks[1:]
		desk.mu.Unlock()
		err := s.act(ctx, t, *d.sentFolder.Load())
		close(t.done)
		if broken(err) {
			d.fail(ctx, user)
			return
		}
	}
}

// rest begins to idle. It reports whether there is something to do after all, and the session still the caller's.
func (d *Desktops) rest(ctx context.Context, user int) (again bool) {
	desk := &d.list[user]
	s := desk.session
	err := s.measure(ctx, s.steps.idle, time.Now(), func(ctx context.Context) error {
		return s.client.Idle(ctx, d.env.Poller, func(err error) { d.event(user, err) })
	})
	if err != nil {
		d.fail(ctx, user)
		return false
	}
	// What came meanwhile was told to event, which left it alone because the session was busy.
	desk.mu.Lock()
	gone, quiet := desk.broken, len(desk.tasks) == 0 && !s.news()
	closing := d.closing.Load()
	if quiet && !gone && !closing {
		desk.state = idle
	}
	desk.mu.Unlock()
	switch {
	case gone:
		s.steps.idle.Failed(time.Now(), time.Now(), classify(io.EOF))
		fallthrough
	case closing:
		d.fail(ctx, user)
		return false
	case quiet:
		return false
	}
	return d.endIdle(ctx, user)
}

// event is called by the poller: the server said something, or is gone.
func (d *Desktops) event(user int, err error) {
	desk := &d.list[user]
	desk.mu.Lock()
	desk.broken = desk.broken || err != nil
	mine := desk.state == idle && (err != nil || desk.session.news())
	if mine && err == nil && !d.env.Flight.Begin() {
		// Still under the lock: nobody may take the session for busy and leave a task to it. What it was told of is fetched
		// when it wakes next.
		d.steps.fetch.Skipped(time.Now())
		mine = false
	}
	if mine {
		desk.state = busy
	}
	desk.mu.Unlock()
	if !mine {
		return
	}
	if err != nil {
		d.steps.idle.Failed(time.Now(), time.Now(), classify(err))
		go d.fail(d.env.Load, user)
		return
	}
	go func() {
		defer d.env.Flight.End()
		d.wake(d.env.Load, user)
	}()
}

// delivered records a message that came while the session was open.
func (d *Desktops) delivered(m content.Delivery, visible time.Time) {
	d.deliver.Done(m.Intended, visible)
	if !m.Acknowledged.IsZero() {
		d.notify.Done(m.Acknowledged, visible)
	}
}

// fail gives the session up; what waited for it has failed too. The caller owns the session.
func (d *Desktops) fail(ctx context.Context, user int) {
	desk := &d.list[user]
	desk.mu.Lock()
	s, tasks := desk.session, desk.tasks
	desk.session, desk.tasks = nil, nil
	desk.mu.Unlock()
	s.drop()
	d.open.Add(-1)
	d.env.Recorder.Sessions(-1)
	for _, t := range tasks {
		d.steps.operation(t.action).Failed(t.intended, time.Now(), "no session")
		close(t.done)
	}
	d.lost(ctx, user)
}

// lost lets the user try again a little later, twice as late each time.
func (d *Desktops) lost(ctx context.Context, user int) {
	desk := &d.list[user]
	desk.mu.Lock()
	desk.state = down
	desk.mu.Unlock()
	d.retry(ctx, user)
}

func (d *Desktops) retry(ctx context.Context, user int) {
	if ctx.Err() != nil {
		return
	}
	desk := &d.list[user]
	desk.mu.Lock()
	desk.backoff = min(max(2*desk.backoff, firstBackoff), maxBackoff)
	wait := desk.backoff/2 + rand.N(desk.backoff/2)
	desk.mu.Unlock()
	time.AfterFunc(wait, func() {
		if ctx.Err() == nil {
			d.Connect(ctx, user, time.Now())
		}
	})
}

// Close logs the sessions out, a few at a time, until ctx ends; the others are dropped. Those that are saying good-bye then may end:
// the target has counted them.
func (d *Desktops) Close(ctx context.Context) {
	d.closing.Store(true)
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })()
	var group sync.WaitGroup
	places, steps := make(chan struct{}, 64), newSteps(d.env, record.Settling)
	for user := range d.list {
		desk := &d.list[user]
		desk.mu.Lock()
		was := desk.state
		if was == idle || was == still {
			desk.state = down
		}
		desk.mu.Unlock()
		if was != idle && was != still {
			continue
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			s := desk.session
			if ctx.Err() == nil && (was == still || s.client.Done(last) == nil) {
				s.steps = steps
				s.leave(last)
			}
			s.drop()
		})
	}
	group.Wait()
}
