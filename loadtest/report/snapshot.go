package report

import (
	"fmt"

	"gouv.tg/messagerie/loadtest/record"
)

// Snapshot gives back what was measured, exactly, for record.Merge and gate.Compare; nil when the run never began. A
// report whose counts and histograms disagree is refused: its figures were changed.
func (r *Report) Snapshot() (*record.Snapshot, error) {
	if !r.began() {
		return nil, nil
	}
	s := &record.Snapshot{
		Start: r.StartedAt, Seconds: r.Seconds, WarmUpSeconds: r.WarmUpSeconds,
		Operations: map[string]*record.OperationSnapshot{}, Lag: r.Generator.Lag, Series: r.Series,
	}
	for name, o := range r.Operations {
		if n := o.Histogram.Count(); n != o.Count {
			return nil, fmt.Errorf("operations[%s].histogram: found %d samples; accepted is the count, %d", name, n, o.Count)
		}
		s.Operations[name] = &record.OperationSnapshot{
			Count: o.Count, Errors: o.Errors, Skipped: o.Skipped, WarmUp: o.WarmUp, WarmUpErrors: o.WarmUpErrors,
			Sent: o.Sent, Received: o.Received, Classes: o.Classes, Histogram: o.Histogram, Failures: o.Failures,
		}
	}
	return s, nil
}
