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
	// End of the run; zero: open. It limits Snapshot.Seconds only.
	End time.Time
	// Now dates gauges and lags; nil: time.Now.
	Now func() time.Time
}

// Recorder counts for one worker. Its memory is bounded by its operations, not
// by the length of the run. Safe for concurrent use.
type Recorder struct {
	o Options

	mu         sync.Mutex
	operations map[string]*Operation
}

// New returns an empty recorder.
func New(o Options) *Recorder {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Recorder{o: o, operations: map[string]*Operation{}}
}

// Operation returns the counters of name: the same pointer for the same name.
func (r *Recorder) Operation(name string) *Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	op := r.operations[name]
	if op == nil {
		op = &Operation{}
		r.operations[name] = op
	}
	return op
}

// Lag counts the generator's lag at one dispatch: actual less intended start.
func (r *Recorder) Lag(d time.Duration) {}

// InFlight changes the number of operations in flight.
func (r *Recorder) InFlight(delta int) {}

// Sessions changes the number of open sessions.
func (r *Recorder) Sessions(delta int) {}

// Snapshot copies everything counted so far.
func (r *Recorder) Snapshot() *Snapshot {
	return &Snapshot{Operations: map[string]*OperationSnapshot{}, Lag: NewHistogram(), Series: &Series{WidthSeconds: 1}}
}

// Operation counts one kind of operation. Safe for concurrent use.
type Operation struct{}

// Done counts a success.
func (o *Operation) Done(intended, completed time.Time) {}

// Failed counts an error of a class.
func (o *Operation) Failed(intended, completed time.Time, class string) {}

// Skipped counts an operation not begun because the in-flight bound was reached.
func (o *Operation) Skipped(intended time.Time) {}

// Bytes counts bytes on the wire.
func (o *Operation) Bytes(sent, received int) {}
