package record

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is what one recorder, or several merged ones, have counted. It
// round-trips through JSON; histograms are HdrHistogram V2 in base64.
type Snapshot struct {
	Start time.Time `json:"start"`
	// WarmUpSeconds is the warm-up at the beginning of Seconds, the length of
	// the run so far (up to its end).
	WarmUpSeconds float64                       `json:"warmUpSeconds"`
	Seconds       float64                       `json:"seconds"`
	Operations    map[string]*OperationSnapshot `json:"operations"`
	// Lag is the generator's own lateness at each dispatch, warm-up excluded.
	Lag    *Histogram `json:"lag"`
	Series *Series    `json:"series"`
}

// OperationSnapshot counts one operation. Everything but the WarmUp fields,
// Sent and Received excludes operations intended to start within the warm-up.
type OperationSnapshot struct {
	Count        int64            `json:"count"`   // successes; equal to Histogram.Count()
	Errors       int64            `json:"errors"`  // failures; equal to the sum of Classes
	Skipped      int64            `json:"skipped"` // not begun
	WarmUp       int64            `json:"warmUp"`  // in the warm-up, whatever the outcome
	WarmUpErrors int64            `json:"warmUpErrors"`
	Sent         int64            `json:"sent"`     // bytes, warm-up included
	Received     int64            `json:"received"` // bytes, warm-up included
	Classes      map[string]int64 `json:"classes,omitempty"`
	// Histogram holds the latency of successes; Failures of failures, nil
	// when there were none.
	Histogram *Histogram `json:"histogram"`
	Failures  *Histogram `json:"failures,omitempty"`
}

// MeasuredSeconds is the time after the warm-up: the divisor of every rate.
func (s *Snapshot) MeasuredSeconds() float64 { return max(0, s.Seconds-s.WarmUpSeconds) }

// Settling begins the names of operations after the load, such as those of the
// last look at mailboxes.
const Settling = "settle."

// Total adds up all operations of the load, without their histograms. What
// comes after it stays out: thousands of fetches from a server at rest would
// make errors under load a smaller share.
func (s *Snapshot) Total() *OperationSnapshot {
	total := &OperationSnapshot{Classes: map[string]int64{}}
	for name, o := range s.Operations {
		if !strings.HasPrefix(name, Settling) {
			total.addCounts(o)
		}
	}
	return total
}

func (o *OperationSnapshot) addCounts(from *OperationSnapshot) {
	o.Count += from.Count
	o.Errors += from.Errors
	o.Skipped += from.Skipped
	o.WarmUp += from.WarmUp
	o.WarmUpErrors += from.WarmUpErrors
	o.Sent += from.Sent
	o.Received += from.Received
	for class, n := range from.Classes {
		o.Classes[class] += n
	}
}

// Snapshot copies everything counted so far.
func (r *Recorder) Snapshot() *Snapshot {
	now := r.o.Now()
	if !r.o.End.IsZero() && now.After(r.o.End) {
		now = r.o.End
	}
	s := &Snapshot{
		Start:         r.o.Start.Round(0).UTC(), // without the monotonic clock, which JSON does not carry
		WarmUpSeconds: r.o.WarmUp.Seconds(),
		Seconds:       max(0, now.Sub(r.o.Start).Seconds()),
		Operations:    map[string]*OperationSnapshot{},
	}
	r.mu.Lock()
	operations := maps.Clone(r.operations)
	r.mu.Unlock()
	lanes := make(map[string]lane[Cell], len(operations))
	for name, op := range operations {
		measured, cells := op.snapshot()
		if measured.silent() {
			continue // made ready and never used
		}
		s.Operations[name], lanes[name] = measured, cells
	}
	points := r.gaugesUntil(now, s)
	s.Series = newSeries(s.Seconds, points, lanes)
	return s
}

// gaugesUntil copies the gauges, which hold their last values until now.
func (r *Recorder) gaugesUntil(now time.Time, s *Snapshot) lane[point] {
	r.gauges.Lock()
	defer r.gauges.Unlock()
	s.Lag = r.lag.Clone()
	if r.now != (point{}) {
		r.point(now.Add(-1)) // the interval that now begins is not reached yet
	}
	return lane[point]{shift: r.points.shift, items: slices.Clone(r.points.items)}
}

// silent says that nothing of the kind was tried at all.
func (o *OperationSnapshot) silent() bool {
	return o.Count == 0 && o.Errors == 0 && o.Skipped == 0 && o.WarmUp == 0
}
