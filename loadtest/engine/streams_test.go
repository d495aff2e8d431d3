package engine

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/users"
)

// hailed is an activity that tells when it is performed, and when it is not.
type hailed struct{ performed, skipped chan struct{} }

func (hailed) Users() int            { return 1 }
func (hailed) Close(context.Context) {}

func (h hailed) Perform(ctx context.Context, _ int, _ time.Time, _ *rand.Rand) {
	select {
	case h.performed <- struct{}{}:
	case <-ctx.Done():
	}
}

func (h hailed) Skip(time.Time, *rand.Rand) {
	select {
	case h.skipped <- struct{}{}:
	default:
	}
}

// A user of a closed stream who finds too much in flight comes back: the load does not shrink for good.
func TestClosedComesBack(t *testing.T) {
	s := scenario.Scenario{Users: 1, DurationSeconds: 60, Streams: []scenario.Stream{{Activity: scenario.MX, Model: scenario.Closed, Concurrency: 1}}}
	s.Complete()
	recorder := record.New(record.Options{Start: time.Now()})
	env := &users.Environment{Scenario: &s, Recorder: recorder, Flight: users.NewFlight(recorder, 1)}
	r := &Run{scenario: &s, in: Input{Workers: 1}}
	if !env.Flight.Begin() {
		t.Fatal("no place")
	}
	h := hailed{make(chan struct{}), make(chan struct{}, 1)}
	r.closed(t.Context(), t.Context(), env, &s.Streams[0], h, time.Now())
	<-h.skipped
	env.Flight.End()
	<-h.performed
}

// Sessions that come late make another load than was asked for, even if all are there in the end.
func TestShortfall(t *testing.T) {
	for _, c := range []struct {
		wanted, open int64
		reasons      int
	}{{0, 0, 0}, {1000, 990, 0}, {1000, 989, 1}, {10, 9, 1}} {
		if reasons := shortfall(c.wanted, c.open); len(reasons) != c.reasons {
			t.Errorf("%+v: %q", c, reasons)
		}
	}
}

// Mailboxes that could not be read make a run invalid where users log in; elsewhere nobody has to be able to read them.
func TestUnread(t *testing.T) {
	sessions, outside := scenario.Scenario{Sessions: scenario.Sessions{Share: 1}}, scenario.Scenario{Streams: []scenario.Stream{{Activity: scenario.MX}}}
	for name, c := range map[string]struct {
		scenario     *scenario.Scenario
		wanted, read int
		aborted      bool
		reasons      int
	}{
		"all":      {&sessions, 2, 2, false, 0},
		"one":      {&sessions, 2, 1, false, 1},
		"aborted":  {&sessions, 2, 1, true, 0},
		"outside":  {&outside, 2, 0, false, 0},
		"no check": {&sessions, 0, 0, false, 0},
	} {
		r := &Run{scenario: c.scenario}
		if reasons := r.unread(c.wanted, c.read, c.aborted); len(reasons) != c.reasons {
			t.Errorf("%s: %q", name, reasons)
		}
	}
}
