package distribution

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

// run runs a whole test on made-up time.
func run(t *testing.T, ctx context.Context, s scenario.Scenario, workers []Worker) *Outcome {
	t.Helper()
	o, err := Run(ctx, workers, inputs(len(workers), s), nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFourWorkersEqualOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := run(t, t.Context(), plan(60), locals(&fake{}))
		engines := []*fake{{}, {}, {}, {}}
		four := run(t, t.Context(), plan(60), locals(engines...))
		if !one.Valid() || !four.Valid() || one.Aborted || four.Aborted {
			t.Fatalf("reasons: %q, %q", one.Reasons, four.Reasons)
		}
		if four.Content.Tracked != 4 {
			t.Errorf("content: tracked %d, want 4", four.Content.Tracked)
		}
		total := int64(0)
		for name, want := range one.Snapshot.Operations {
			got := four.Snapshot.Operations[name]
			if got == nil || !got.Histogram.Equal(want.Histogram) || !got.Failures.Equal(want.Failures) {
				t.Errorf("%s: four workers merged differ from one", name)
				continue
			}
			if got.Count != want.Count || got.Errors != want.Errors || got.Classes["NO"] != want.Classes["NO"] {
				t.Errorf("%s: %d and %d errors, want %d and %d", name, got.Count, got.Errors, want.Count, want.Errors)
			}
			total += got.Count + got.Errors
		}
		if total != samplesInAll {
			t.Errorf("%d samples, want %d", total, samplesInAll)
		}
		for _, e := range engines {
			if len(e.began) != 1 || !e.began[0].Equal(four.Start) {
				t.Errorf("began at %v, want %v", e.began, four.Start)
			}
		}
	})
}

// TestFaults has one worker of three go wrong: the run is invalid by its name, and what the others measured is there.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		bad  *fake
		want string
		none bool // nobody measured anything
	}{
		{"cannot prepare", &fake{prepare: errBroken}, "disk on fire", true},
		{"hangs in prepare", &fake{hang: true}, "did not end within 30s", true},
		{"fails in the middle", &fake{fail: errBroken}, "disk on fire", false},
		{"never ends", &fake{stuck: true}, "did not end", false},
		{"no measurements", &fake{empty: true}, "no measurements", false},
		{"does not add up", &fake{garble: true}, "imap.fetch", false},
		{"another start", &fake{shift: 5 * time.Second}, "does not fit", false},
		{"lags", &fake{reasons: []string{"generator lag: found 0.3 s"}}, "generator lag", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.bad.release = make(chan struct{})
				defer close(c.bad.release)
				o := run(t, t.Context(), plan(60), locals(&fake{}, c.bad, &fake{}))
				if len(o.Reasons) != 1 || !strings.Contains(o.Reasons[0], "worker w1: ") || !strings.Contains(o.Reasons[0], c.want) {
					t.Errorf("reasons = %q, want worker w1 and %q", o.Reasons, c.want)
				}
				if o.Aborted || o.Workers[0].Reason != "" || o.Workers[2].Reason != "" {
					t.Errorf("others are blamed: %+v", o.Workers)
				}
				if c.none != (o.Snapshot == nil) {
					t.Errorf("snapshot = %v", o.Snapshot)
				}
				if c.none || c.bad.reasons != nil {
					return
				}
				alone, err := record.Merge(o.Workers[0].Result.Snapshot, o.Workers[2].Result.Snapshot)
				if err != nil {
					t.Fatal(err)
				}
				for name, want := range alone.Operations {
					if !o.Snapshot.Operations[name].Histogram.Equal(want.Histogram) {
						t.Errorf("%s: what the others measured is not all there, or more than that", name)
					}
				}
			})
		})
	}
}

func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, cancel)
		began := time.Now()
		o := run(t, ctx, plan(3600), locals(&fake{}, &fake{}))
		if !o.Aborted || !o.Valid() || o.Snapshot == nil {
			t.Errorf("aborted = %v, reasons = %q, snapshot = %v", o.Aborted, o.Reasons, o.Snapshot)
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAbortBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o := run(t, ctx, plan(3600), locals(&fake{}, &fake{}))
		if !o.Aborted || o.Snapshot != nil {
			t.Errorf("aborted = %v, snapshot = %v", o.Aborted, o.Snapshot)
		}
	})
}

// unsteady is a worker between which and its coordinator things go wrong.
type unsteady struct {
	Worker
	skew   time.Duration // of its clock
	silent func() bool   // it does not answer
}

var errSilent = errors.New("no route to host")

func (u *unsteady) State(ctx context.Context, snapshot bool) (State, error) {
	if u.silent != nil && u.silent() {
		return State{}, errSilent
	}
	s, err := u.Worker.State(ctx, snapshot)
	s.Received, s.Sent = s.Received.Add(u.skew), s.Sent.Add(u.skew)
	return s, err
}

func (u *unsteady) Result(ctx context.Context) (*Result, error) {
	if u.silent != nil && u.silent() {
		return nil, errSilent
	}
	return u.Worker.Result(ctx)
}

func (u *unsteady) Start(ctx context.Context, at time.Time) error {
	if u.silent != nil && u.silent() {
		return errSilent
	}
	return u.Worker.Start(ctx, at)
}

func TestClocks(t *testing.T) {
	for skew, want := range map[time.Duration]bool{
		0: true, 200 * time.Millisecond: true, -200 * time.Millisecond: true, 300 * time.Millisecond: false, -time.Hour: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			workers := locals(&fake{}, &fake{})
			workers[1] = &unsteady{Worker: workers[1], skew: skew}
			o := run(t, t.Context(), plan(10), workers)
			if o.Valid() != want {
				t.Fatalf("a clock that is off by %s: reasons = %q", skew, o.Reasons)
			}
			if want && o.Workers[1].Offset != skew {
				t.Errorf("offset = %s, want %s", o.Workers[1].Offset, skew)
			}
			if !want && (!strings.Contains(o.Reasons[0], "worker w1: clock: found "+skew.Abs().String()) || !o.Start.IsZero()) {
				t.Errorf("reasons = %q, start = %s", o.Reasons, o.Start)
			}
		})
	}
}

func TestCompareIsWhatNTPDoes(t *testing.T) {
	zero := time.Unix(1000, 0)
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	// 10 ms there, 30 ms in the worker, 20 ms back; its clock is 100 ms ahead: half the difference of the ways is the error.
	theta, delay := compare(at(0), at(110), at(140), at(60))
	if theta != 95*time.Millisecond || delay != 30*time.Millisecond {
		t.Errorf("offset = %s, delay = %s", theta, delay)
	}
}

// TestVanished has a worker fall silent in the middle, for a while or for good.
func TestVanished(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Duration
		want  string
	}{
		"for a while": {40 * time.Second, ""},
		"for good":    {time.Hour, "worker w1: it has not answered for 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				workers := locals(&fake{}, &fake{})
				workers[1] = &unsteady{Worker: workers[1], silent: func() bool {
					return time.Since(began) > 20*time.Second && time.Since(began) < c.until
				}}
				o := run(t, t.Context(), plan(600), workers)
				if c.want == "" != o.Valid() || !strings.Contains(strings.Join(o.Reasons, "\n"), c.want) {
					t.Errorf("reasons = %q, want %q", o.Reasons, c.want)
				}
				if o.Snapshot == nil {
					t.Error("what the other measured is lost")
				}
			})
		})
	}
}

// TestAnotherCoordinatorGoesOn stops one coordinator at every step and has another one bring the run to its end.
func TestAnotherCoordinatorGoesOn(t *testing.T) {
	for steps := range 12 {
		synctest.Test(t, func(t *testing.T) {
			workers := locals(&fake{}, &fake{}, &fake{})
			in := inputs(3, plan(8))
			give := func(i int) (Input, error) { return in[i], nil }
			first := NewCoordinator(workers, "run", give, nil)
			for range steps {
				first.Step(t.Context(), false)
				time.Sleep(interval)
			}
			second := NewCoordinator(workers, "run", give, nil)
			second.follow(t.Context(), t.Context(), nil)
			o := second.Collect(t.Context())
			second.Close(t.Context())
			if !o.Valid() || o.Aborted || o.Snapshot == nil {
				t.Fatalf("after %d steps of another: %q", steps, o.Reasons)
			}
			total := int64(0)
			for _, op := range o.Snapshot.Operations {
				total += op.Count + op.Errors
			}
			if total != samplesInAll {
				t.Errorf("after %d steps of another: %d samples", steps, total)
			}
		})
	}
}

// TestMissedBarrier has a coordinator die after it told one of two workers to begin.
func TestMissedBarrier(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		valid bool
	}{"in time": {time.Second, true}, "too late": {3 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				workers := locals(&fake{}, &fake{})
				in := inputs(2, plan(8))
				for i, w := range workers {
					if err := w.Put(t.Context(), in[i]); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if err := workers[0].Start(t.Context(), time.Now().Add(margin)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.pause)
				o, err := Run(t.Context(), workers, in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if o.Valid() != c.valid || !c.valid && !strings.Contains(o.Reasons[0], "worker w1: it could not be told in time") {
					t.Errorf("reasons = %q", o.Reasons)
				}
			})
		})
	}
}

func TestAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		workers := locals(&fake{})
		other := inputs(1, plan(8))[0]
		other.RunID = "another"
		if err := workers[0].Put(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		o := run(t, t.Context(), plan(8), workers)
		if o.Valid() || !strings.Contains(o.Reasons[0], "another run") {
			t.Errorf("reasons = %q", o.Reasons)
		}
	})
}

func TestProgressAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []View
		workers := locals(&fake{}, &fake{})
		if _, err := Run(t.Context(), workers, inputs(2, plan(10)), func(v View) { seen = append(seen, v) }); err != nil {
			t.Fatal(err)
		}
		if len(seen) < 10 || len(seen) > 30 {
			t.Errorf("progress was told %d times in 12 seconds", len(seen))
		}
		last := seen[len(seen)-1]
		if last.Phase != Done || last.Progress.Sessions != 20 || last.Progress.Snapshot == nil {
			t.Errorf("the last view is %+v", last)
		}
	})
}

func TestArguments(t *testing.T) {
	if _, err := Run(t.Context(), nil, nil, nil); err == nil {
		t.Error("no workers were accepted")
	}
	in := inputs(2, plan(1))
	in[1].RunID = "x"
	if _, err := Run(t.Context(), locals(&fake{}, &fake{}), in, nil); err == nil {
		t.Error("two runs were accepted as one")
	}
}
