package record

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * 1e9)) }

func fixed(seconds float64) func() time.Time {
	return func() time.Time { return at(seconds) }
}

// A server that stalls one second in ten, loaded with 100 operations a second:
// measured from the intended start, the stall is every hundredth operation's.
func TestCoordinatedOmission(t *testing.T) {
	const rate, seconds = 100, 300
	open := New(Options{Start: start, End: at(seconds), Now: fixed(seconds)}).Operation("imap.noop")
	closed := New(Options{Start: start, End: at(seconds), Now: fixed(seconds)}).Operation("imap.noop")
	answer := func(begun time.Time) time.Time {
		in := begun.Sub(start) % (10 * time.Second)
		if stall := 9 * time.Second; in >= stall {
			return begun.Add(10*time.Second - in + time.Millisecond)
		}
		return begun.Add(time.Millisecond)
	}
	free := start // one connection, which takes one operation at a time
	for i := range rate * seconds {
		intended := at(float64(i) / rate)
		begun := intended
		if free.After(begun) {
			begun = free
		}
		free = answer(begun)
		open.Done(intended, free)
		closed.Done(begun, free)
	}
	p99 := func(o *Operation) time.Duration {
		s, _ := o.snapshot()
		return s.Histogram.Quantile(.99)
	}
	if got := p99(open); got < 850*time.Millisecond || got > time.Second {
		t.Errorf("p99 from the intended start is %v, want 0.85 s to 1 s", got)
	}
	if got := p99(closed); got > 10*time.Millisecond {
		t.Errorf("p99 from the actual start is %v: the simulation does not omit anything", got)
	}
}

func TestOutcomesAreCountedOnce(t *testing.T) {
	r := New(Options{Start: start, WarmUp: 10 * time.Second, End: at(60), Now: fixed(100)})
	o := r.Operation("smtp.submit")
	if r.Operation("smtp.submit") != o {
		t.Error("a name has two counters")
	}
	o.Done(at(9.999), at(20))             // warm-up by its intended start
	o.Failed(at(1), at(2), "timeout")     // warm-up
	o.Skipped(at(3))                      // warm-up
	o.Done(at(10), at(10.5))              // the first that counts
	o.Done(at(30), at(29.9))              // clocks disagree
	o.Done(at(59), at(3000))              // later than any bucket
	o.Failed(at(20), at(29), "454 4.7.0") //
	o.Failed(at(20), at(29), "\xff")      // a class that is no text
	o.Skipped(at(40))                     //
	o.Bytes(100, 5)                       //
	o.Bytes(1, 2)                         //
	s := r.Snapshot()
	got := s.Operations["smtp.submit"]
	want := OperationSnapshot{Count: 3, Errors: 2, Skipped: 1, WarmUp: 3, WarmUpErrors: 1, Sent: 101, Received: 7}
	counts := *got
	counts.Classes, counts.Histogram, counts.Failures = nil, nil, nil
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	if got.Histogram.Count() != 3 || got.Histogram.Min() != Lowest || got.Histogram.Max() != Highest {
		t.Errorf("histogram: %d values from %v to %v, want 3 clamped to [%v, %v]",
			got.Histogram.Count(), got.Histogram.Min(), got.Histogram.Max(), Lowest, Highest)
	}
	if got.Classes["454 4.7.0"] != 1 || got.Classes[Other] != 1 || len(got.Classes) != 2 {
		t.Errorf("classes %v", got.Classes)
	}
	if s.Seconds != 60 || s.MeasuredSeconds() != 50 {
		t.Errorf("%g s, of which %g measured; want 60 and 50", s.Seconds, s.MeasuredSeconds())
	}
	var cells Cell
	for _, in := range s.Series.Intervals {
		if c := in.Operations["smtp.submit"]; c != nil {
			cells.merge(c)
		}
	}
	if c := s.Series.Intervals[29/int(s.Series.WidthSeconds)].Operations["smtp.submit"]; c == nil || c.Errors != 2 {
		t.Errorf("second 29 has %+v, want the 2 errors that completed in it", c)
	}
	if cells.Count != 4 || cells.Errors != 3 || cells.Skipped != 2 {
		t.Errorf("series %+v, want everything, warm-up included", cells)
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestNamesAreBounded(t *testing.T) {
	r := New(Options{Start: start, Now: fixed(1)})
	for i := range 1000 {
		o := r.Operation(fmt.Sprint("op", i))
		o.Done(start, at(.1))
	}
	o := r.Operation("op0")
	for i := range 1000 {
		o.Failed(start, at(.1), fmt.Sprint("class", i))
	}
	s := r.Snapshot()
	if n := len(s.Operations); n != MaxOperations+1 || s.Operations[Other].Count != 1000-MaxOperations {
		t.Errorf("%d operations, %+v", n, s.Operations[Other])
	}
	if c := s.Operations["op0"].Classes; len(c) != MaxClasses+1 || c[Other] != 1000-MaxClasses {
		t.Errorf("%d classes, other %d", len(c), c[Other])
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestGauges(t *testing.T) {
	var now time.Time
	r := New(Options{Start: start, WarmUp: time.Second, End: at(20), Now: func() time.Time { return now }})
	step := func(seconds float64, f func()) { now = at(seconds); f() }
	step(-5, func() { r.Sessions(10) }) // before the start
	step(0.5, func() { r.InFlight(3); r.Lag(7 * time.Millisecond) })
	step(0.6, func() { r.InFlight(-2) })
	step(1.1, func() { r.Lag(200 * time.Millisecond) }) // intended within the warm-up
	step(5.5, func() { r.Sessions(-4); r.Lag(time.Millisecond) })
	step(6.5, func() { r.Lag(3 * time.Millisecond) })
	step(50, func() {})
	s := r.Snapshot()
	if n := len(s.Series.Intervals); n != 20 {
		t.Fatalf("%d intervals for 20 s", n)
	}
	for i, in := range s.Series.Intervals {
		wantInFlight, wantSessions := int64(1), int64(10)
		if i == 0 {
			wantInFlight = 3
		}
		if i > 5 {
			wantSessions = 6
		}
		if in.InFlight != wantInFlight || in.Sessions != wantSessions {
			t.Errorf("at %g s: %d in flight, %d sessions; want %d and %d", in.Seconds, in.InFlight, in.Sessions, wantInFlight, wantSessions)
		}
	}
	if got := s.Series.Intervals[0].Lag; got != 7*time.Millisecond {
		t.Errorf("lag in the warm-up is %v in the series", got)
	}
	if s.Lag.Count() != 2 || s.Lag.Max() < 2999*time.Microsecond || s.Lag.Max() > 3003*time.Microsecond {
		t.Errorf("lag: %d values up to %v, want the 2 after the warm-up", s.Lag.Count(), s.Lag.Max())
	}
}

// A target that answers nothing more still has a series to its end.
func TestSeriesCoversTheRun(t *testing.T) {
	r := New(Options{Start: start, End: at(1500), Now: fixed(1200)})
	r.Operation("a").Done(start, at(1))
	s := r.Snapshot()
	if n := len(s.Series.Intervals); n != 300 || s.Series.WidthSeconds != 4 || s.Seconds != 1200 {
		t.Errorf("%d intervals of %g s for %g s, want 300 of 4 s for 1200 s", n, s.Series.WidthSeconds, s.Seconds)
	}
}

// Gauges carry over intervals that come into being while neighbours fold.
func TestGaugesAcrossFolding(t *testing.T) {
	var now time.Time
	r := New(Options{Start: start, Now: func() time.Time { return now }})
	now = at(1)
	r.Sessions(5)
	now = at(100_000)
	s := r.Snapshot()
	if len(s.Series.Intervals) > MaxIntervals {
		t.Fatalf("%d intervals", len(s.Series.Intervals))
	}
	for _, in := range s.Series.Intervals {
		if in.Sessions != 5 {
			t.Fatalf("%d sessions at %g s, want 5 throughout", in.Sessions, in.Seconds)
		}
	}
}

// A day of twenty operations stays within 24 MiB: about 0.34 MiB of histograms
// and up to 0.8 MiB of series each.
func TestMemoryIsFlat(t *testing.T) {
	const operations, seconds, bound = 20, 24 * 3600, 24 << 20
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r := New(Options{Start: start, End: at(seconds), Now: fixed(seconds)})
	rng := rand.New(rand.NewPCG(1, 1))
	ops := make([]*Operation, operations)
	for i := range ops {
		ops[i] = r.Operation(fmt.Sprint("op", i))
	}
	var half uint64
	for second := range seconds {
		intended := at(float64(second))
		for _, o := range ops {
			latency := time.Duration(math.Exp(rng.NormFloat64()) * float64(20*time.Millisecond))
			if rng.Float64() < .01 {
				o.Failed(intended, intended.Add(latency), "timeout")
			} else {
				o.Done(intended, intended.Add(latency))
			}
		}
		if second == seconds/2 {
			half = heap() - before
		}
	}
	after := heap() - before
	t.Logf("%.1f MiB after 12 h, %.1f MiB after 24 h", float64(half)/(1<<20), float64(after)/(1<<20))
	if after > bound {
		t.Errorf("%d bytes after a day, want at most %d", after, bound)
	}
	if after > half+half/4 {
		t.Errorf("memory grew from %d to %d bytes between noon and midnight", half, after)
	}
	if n := len(r.Snapshot().Series.Intervals); n > MaxIntervals {
		t.Errorf("%d intervals", n)
	}
	runtime.KeepAlive(r)
}

func TestConcurrentUse(t *testing.T) {
	const goroutines, each = 16, 2000
	r := New(Options{Start: start, End: at(100), Now: fixed(10)})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			o := r.Operation(fmt.Sprint("op", g%2))
			for i := range each {
				intended := at(float64(i) / 100)
				o.Done(intended, intended.Add(time.Millisecond))
				o.Failed(intended, intended.Add(time.Millisecond), "NO")
				o.Bytes(1, 2)
				r.InFlight(1)
				r.Lag(time.Millisecond)
				r.InFlight(-1)
				if i%500 == 0 {
					if err := r.Snapshot().check(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	s := r.Snapshot()
	total := s.Total()
	if n := int64(goroutines * each); total.Count != n || total.Errors != n || total.Received != 2*n || s.Lag.Count() != n {
		t.Errorf("%+v, %d lags; want %d each", total, s.Lag.Count(), n)
	}
	if last := s.Series.Intervals[len(s.Series.Intervals)-1]; r.now.inFlight != 0 || last.InFlight > goroutines {
		t.Errorf("%d in flight at the end, at most %d", r.now.inFlight, last.InFlight)
	}
}

// What a snapshot shares with its recorder and with those merged from it is never changed, and looking changes nothing.
func TestSnapshotsStay(t *testing.T) {
	const seconds = 5000 // folds several times
	var now time.Time
	options := Options{Start: start, End: at(seconds), Now: func() time.Time { return now }}
	one, watched := New(options), New(options)
	type look struct {
		snapshot *Snapshot
		then     string
	}
	var looks []look
	for i, s := range samples(rand.New(rand.NewPCG(7, 7)), 4000, seconds) {
		s.intended, s.completed = at(seconds*float64(i)/4000), at(seconds*float64(i)/4000).Add(s.completed.Sub(s.intended))
		s.feed(one, &now)
		s.feed(watched, &now)
		if i%250 == 0 {
			snapshot := watched.Snapshot()
			merged, err := Merge(snapshot, snapshot)
			if err != nil {
				t.Fatal(err)
			}
			looks = append(looks, look{snapshot, text(snapshot)}, look{merged, text(merged)})
		}
	}
	for i, l := range looks {
		if text(l.snapshot) != l.then {
			t.Fatalf("snapshot %d changed", i)
		}
	}
	if diff := difference(watched.Snapshot(), one.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkDone(b *testing.B) {
	o := New(Options{Start: start}).Operation("imap.fetch")
	latencies := make([]time.Duration, 4096)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range latencies {
		latencies[i] = time.Duration(math.Exp(rng.NormFloat64()) * float64(20*time.Millisecond))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		intended := start.Add(time.Duration(i) * 100 * time.Microsecond)
		o.Done(intended, intended.Add(latencies[i%len(latencies)]))
	}
}

func BenchmarkDoneParallel(b *testing.B) {
	o := New(Options{Start: start}).Operation("imap.fetch")
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			intended := start.Add(time.Duration(i) * 100 * time.Microsecond)
			o.Done(intended, intended.Add(time.Duration(i%997)*time.Microsecond))
		}
	})
}

func BenchmarkLag(b *testing.B) {
	r := New(Options{Start: time.Now()})
	for b.Loop() {
		r.Lag(100 * time.Microsecond)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	r := New(Options{Start: start, End: at(600), Now: fixed(600)})
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 200_000 {
		intended := at(float64(i) / 400)
		r.Operation(fmt.Sprint("op", i%20)).Done(intended, intended.Add(time.Duration(math.Exp(rng.NormFloat64())*2e7)))
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Snapshot()
	}
}
