package record

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// sample is one call on a recorder.
type sample struct {
	operation           string
	intended, completed time.Time
	class               string // "": success
	skipped             bool
	lag                 time.Duration
}

func (s sample) feed(r *Recorder, now *time.Time) {
	o := r.Operation(s.operation)
	switch {
	case s.skipped:
		o.Skipped(s.intended)
	case s.class != "":
		o.Failed(s.intended, s.completed, s.class)
	default:
		o.Done(s.intended, s.completed)
	}
	o.Bytes(len(s.operation), 3)
	*now = s.intended.Add(s.lag)
	r.Lag(s.lag)
}

func samples(rng *rand.Rand, n int, seconds float64) []sample {
	all := make([]sample, n)
	for i := range all {
		intended := at(rng.Float64() * seconds)
		// From below a microsecond to beyond ten minutes.
		latency := time.Duration(math.Exp(rng.NormFloat64()*4) * float64(20*time.Millisecond))
		all[i] = sample{
			operation: fmt.Sprint("op", rng.IntN(5)), intended: intended, completed: intended.Add(latency),
			skipped: rng.IntN(20) == 0, lag: time.Duration(rng.ExpFloat64() * float64(time.Millisecond)),
		}
		if rng.IntN(10) == 0 {
			all[i].class = fmt.Sprint("class", rng.IntN(70)%(MaxClasses/2))
		}
	}
	return all
}

// Four recorders fed a partition of the samples merge to what one recorder fed
// all of them holds: every bucket, every count, every interval.
func TestMergeIsExact(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 2))
		// From runs of one interval to runs that fold many times; the workers'
		// widths differ where only one saw late samples.
		seconds := math.Exp(rng.Float64() * 12)
		var now time.Time
		options := Options{Start: start, WarmUp: time.Duration(seconds / 10 * 1e9), End: at(seconds), Now: func() time.Time { return now }}
		one := New(options)
		var workers []*Recorder
		for range 4 {
			workers = append(workers, New(options))
		}
		all := samples(rng, 3000, seconds)
		for i, s := range all {
			s.feed(one, &now)
			w := rng.IntN(4)
			if seed%2 == 0 { // contiguous parts: each sees another time
				w = i * 4 / len(all)
			}
			s.feed(workers[w], &now)
		}
		now = at(seconds)
		want := one.Snapshot()
		var parts []*Snapshot
		for _, w := range workers {
			parts = append(parts, roundTrip(t, w.Snapshot()))
		}
		got, err := Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := difference(got, want); diff != "" {
			t.Fatalf("seed %d, %.0f s: %s", seed, seconds, diff)
		}
		// Pairwise, in another order.
		left, err1 := Merge(parts[3], parts[1])
		right, err2 := Merge(parts[0], parts[2])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got, err = Merge(left, right); err != nil {
			t.Fatal(err)
		}
		if diff := difference(got, want); diff != "" {
			t.Fatalf("seed %d, pairwise: %s", seed, diff)
		}
		// The comparison is able to fail.
		parts[2].Operations["op1"].Histogram.Record(time.Second)
		parts[2].Operations["op1"].Count++
		if got, err = Merge(parts...); err != nil || difference(got, want) == "" {
			t.Fatalf("one sample more goes unnoticed (%v)", err)
		}
	}
}

func roundTrip(t *testing.T, s *Snapshot) *Snapshot {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := difference(&back, s); diff != "" {
		t.Fatalf("JSON: %s", diff)
	}
	return &back
}

// difference names the first thing in which two snapshots differ.
func difference(a, b *Snapshot) string {
	if !a.Start.Equal(b.Start) || a.Seconds != b.Seconds || a.WarmUpSeconds != b.WarmUpSeconds {
		return fmt.Sprintf("times %v %g %g and %v %g %g", a.Start, a.Seconds, a.WarmUpSeconds, b.Start, b.Seconds, b.WarmUpSeconds)
	}
	if !a.Lag.Equal(b.Lag) {
		return fmt.Sprintf("lag %d and %d", a.Lag.Count(), b.Lag.Count())
	}
	if len(a.Operations) != len(b.Operations) {
		return fmt.Sprintf("%d and %d operations", len(a.Operations), len(b.Operations))
	}
	for name, x := range a.Operations {
		y := b.Operations[name]
		if y == nil {
			return name + " is missing"
		}
		if !x.Histogram.Equal(y.Histogram) || !x.Failures.Equal(y.Failures) {
			return name + ": histograms differ"
		}
		p, q := *x, *y
		p.Histogram, p.Failures, q.Histogram, q.Failures = nil, nil, nil, nil
		if fmt.Sprint(p) != fmt.Sprint(q) { // maps print sorted
			return fmt.Sprintf("%s: %+v and %+v", name, p, q)
		}
	}
	if a.Series.WidthSeconds != b.Series.WidthSeconds || len(a.Series.Intervals) != len(b.Series.Intervals) {
		return fmt.Sprintf("series: %d of %g s and %d of %g s", len(a.Series.Intervals), a.Series.WidthSeconds, len(b.Series.Intervals), b.Series.WidthSeconds)
	}
	for i, x := range a.Series.Intervals {
		if p, q := text(x), text(b.Series.Intervals[i]); p != q {
			return "series: " + p + " and " + q
		}
	}
	return ""
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestMergeAddsGauges(t *testing.T) {
	var parts []*Snapshot
	for _, n := range []int{4, 3} {
		var now time.Time
		r := New(Options{Start: start, Now: func() time.Time { return now }})
		now = at(1)
		r.Sessions(n)
		now = at(float64(n)) // one worker was a second longer
		parts = append(parts, r.Snapshot())
	}
	m, err := Merge(parts...)
	if err != nil {
		t.Fatal(err)
	}
	if m.Seconds != 4 {
		t.Errorf("%g s, want those of the longest", m.Seconds)
	}
	for i, want := range []int64{0, 7, 7, 4} {
		if got := m.Series.Intervals[i].Sessions; got != want {
			t.Errorf("%d sessions in second %d, want %d", got, i, want)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	base := func() *Snapshot {
		r := New(Options{Start: start, End: at(10), Now: fixed(10)})
		r.Operation("a").Done(start, at(1))
		r.Operation("a").Failed(start, at(1), "NO")
		return r.Snapshot()
	}
	for _, c := range []struct {
		doctor func(s *Snapshot)
		want   string
	}{
		{func(s *Snapshot) { s.Start = s.Start.Add(1100 * time.Millisecond) }, "start"},
		{func(s *Snapshot) { s.WarmUpSeconds = 1 }, "warmUpSeconds"},
		{func(s *Snapshot) { s.Seconds = math.NaN() }, "seconds"},
		{func(s *Snapshot) { s.Operations["a"].Count = 2 }, "operations[a]: count"},
		{func(s *Snapshot) { s.Operations["a"].Errors = 0 }, "operations[a]: errors"},
		{func(s *Snapshot) { s.Operations["a"].Classes["NO"] = 7 }, "operations[a]: errors"},
		{func(s *Snapshot) { s.Operations["a"].Skipped = -1 }, "operations[a]"},
		{func(s *Snapshot) { s.Operations["b"] = nil }, "operations[b]"},
		{func(s *Snapshot) { s.Series.WidthSeconds = 3 }, "widthSeconds"},
		{func(s *Snapshot) { s.Series.Intervals = make([]Interval, MaxIntervals+1) }, "intervals"},
		{func(s *Snapshot) { s.Series.Intervals[1].Operations["a"] = nil }, "intervals[1]"},
		{func(s *Snapshot) { s.Series.Intervals[1].Operations["a"].Count++ }, "intervals[1]"},
	} {
		s := base()
		c.doctor(s)
		if _, err := Merge(base(), s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one about %s", err, c.want)
		}
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing merges to something")
	}
	if _, err := Merge(base(), nil); err == nil {
		t.Error("a missing snapshot goes unnoticed")
	}
	within := base()
	within.Start = start.Add(-time.Second)
	if m, err := Merge(base(), within); err != nil || !m.Start.Equal(within.Start) {
		t.Errorf("starts a second apart: %v", err)
	}
}

func TestMergeBoundsClasses(t *testing.T) {
	var parts []*Snapshot
	for w := range 3 {
		r := New(Options{Start: start, Now: fixed(1)})
		for i := range 60 {
			for range i + 1 {
				r.Operation("a").Failed(start, at(.1), fmt.Sprintf("class %d of %d", i, w))
			}
		}
		parts = append(parts, r.Snapshot())
	}
	m, err := Merge(parts...)
	if err != nil {
		t.Fatal(err)
	}
	o := m.Operations["a"]
	if len(o.Classes) != MaxClasses+1 || o.Classes["class 59 of 1"] != 60 || o.check() != nil {
		t.Errorf("%d classes, %v", len(o.Classes), o.check())
	}
}

func FuzzSnapshot(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	var now time.Time
	r := New(Options{Start: start, Now: func() time.Time { return now }})
	for _, s := range samples(rng, 20, 100) {
		s.feed(r, &now)
	}
	seed, err := json.Marshal(r.Snapshot())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"start":"2026-01-05T08:00:00Z","operations":{"a":{"count":0}},"series":{"widthSeconds":4,"intervals":[{"lag":1e8,"operations":{"a":{"count":1,"latency":[417,1]}}}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Snapshot
		if json.Unmarshal(data, &s) != nil {
			return
		}
		m, err := Merge(&s, &s)
		if err != nil {
			return
		}
		if got, want := m.Total().Count, 2*s.Total().Count; got != want {
			t.Errorf("merged with itself: %d operations, want %d", got, want)
		}
		if err := m.check(); err != nil {
			t.Errorf("the merged snapshot is refused: %v", err)
		}
	})
}
