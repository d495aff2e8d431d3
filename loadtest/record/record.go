// Package record counts what a load test did: per operation an HdrHistogram of
// latencies from the intended start (so that a stalled server is charged for
// every operation it delayed: Gil Tene, "How NOT to Measure Latency"), errors
// by class, operations not begun, and a series over time. Snapshots of several
// recorders merge exactly.
package record

import (
	"sync"
	"time"
)

// MaxOperations and MaxClasses bound the names a recorder keeps apart; what
// comes later is counted under Other.
const (
	MaxOperations = 64
	MaxClasses    = 64
	Other         = "other"
)

// Options of a Recorder.
type Options struct {
	Start time.Time // t = 0 of the run
	// WarmUp: samples whose intended start lies before Start+WarmUp are
	// counted apart and stay out of the histograms.
	WarmUp time.Duration
	// End of the run; zero: open. It limits Snapshot.Seconds only: what was
	// begun before it and completes after it counts.
	End time.Time
	// Now dates gauges, lags and snapshots; nil: time.Now.
	Now func() time.Time
}

// Recorder counts for one worker. Its memory is bounded by its operations, not
// by the length of the run: an operation takes 168 KiB for each of its two
// histograms and up to 3.3 KiB for each of 512 intervals, so at most 2.1 MiB
// (twice that while slices grow), and about 0.5 MiB with common latencies.
// Safe for concurrent use.
type Recorder struct {
	o Options

	mu         sync.Mutex
	operations map[string]*Operation

	gauges sync.Mutex // for what follows; never held together with mu
	points lane[point]
	now    point // current values of the gauges; lag unused
	lag    Histogram
}

// New returns an empty recorder.
func New(o Options) *Recorder {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Recorder{o: o, operations: map[string]*Operation{}}
}

// Operation returns the counters of name: the same pointer for the same name.
// After MaxOperations names all further ones share those of Other.
func (r *Recorder) Operation(name string) *Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	if op := r.operations[name]; op != nil {
		return op
	}
	if len(r.operations) >= MaxOperations {
		name = Other
	}
	op := r.operations[name]
	if op == nil {
		op = newOperation(r.o)
		r.operations[name] = op
	}
	return op
}

// Lag counts the generator's lag at one dispatch: actual less intended start.
func (r *Recorder) Lag(d time.Duration) {
	now := r.o.Now()
	r.gauges.Lock()
	defer r.gauges.Unlock()
	p := r.point(now)
	p.lag = max(p.lag, d)
	if !now.Add(-d).Before(r.o.Start.Add(r.o.WarmUp)) {
		r.lag.Record(d)
	}
}

// InFlight changes the number of operations in flight.
func (r *Recorder) InFlight(delta int) { r.gauge(int64(delta), 0) }

// Sessions changes the number of open sessions.
func (r *Recorder) Sessions(delta int) { r.gauge(0, int64(delta)) }

func (r *Recorder) gauge(inFlight, sessions int64) {
	now := r.o.Now()
	r.gauges.Lock()
	defer r.gauges.Unlock()
	p := r.point(now)
	r.now.inFlight += inFlight
	r.now.sessions += sessions
	foldPoint(p, &r.now)
}

// point returns the current interval. Intervals in which no gauge moved hold
// the value that lasted through them.
func (r *Recorder) point(now time.Time) *point {
	return r.points.at(now.Sub(r.o.Start), r.now, foldPoint)
}
