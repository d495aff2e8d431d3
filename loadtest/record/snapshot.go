package record

import "time"

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

// Total adds up all operations, without their histograms.
func (s *Snapshot) Total() *OperationSnapshot {
	total := &OperationSnapshot{Classes: map[string]int64{}}
	for _, o := range s.Operations {
		total.addCounts(o)
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
