package distribution

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
)

// attempts at reading a result before the worker counts as lost.
const attempts = 3

// Outcome is what all workers together found.
type Outcome struct {
	Start    time.Time        // when all began; zero: they did not
	Snapshot *record.Snapshot // merged; nil: nothing was measured
	Content  content.Summary  // merged
	Workers  []WorkerOutcome  // in the workers' order
	Aborted  bool             // somebody ended the run early
	Reasons  []string         // why the run is invalid; none: it is valid
}

// WorkerOutcome is what one worker found.
type WorkerOutcome struct {
	Name   string
	Offset time.Duration // its clock less the coordinator's, at the start
	Result *Result       // nil: none was had
	Reason string        // why it makes the run invalid; empty: it does not
}

// Valid says whether something can be said of the target.
func (o *Outcome) Valid() bool { return len(o.Reasons) == 0 }

// Collect reads the results of a run that has ended and merges them, bucket by bucket. A worker without a result, or with
// one that does not fit, makes the run invalid; what the others measured is merged all the same.
func (c *Coordinator) Collect(ctx context.Context) *Outcome {
	results := make([]*Result, len(c.workers))
	index := map[*member]int{}
	for i, m := range c.workers {
		index[m] = i
	}
	c.each(func(m *member) bool { return m.state.Phase.Ended() && !m.state.Unbegun }, func(m *member) {
		result, err := m.read(ctx)
		if err != nil {
			m.fail(err.Error())
			return
		}
		results[index[m]] = result
	})
	o := &Outcome{Aborted: c.aborted}
	for i, m := range c.workers {
		o.Workers = append(o.Workers, WorkerOutcome{Name: m.Name(), Offset: m.offset, Result: results[i]})
		if !m.state.At.IsZero() {
			o.Start = m.state.At
		}
	}
	o.merge(c)
	for i := range o.Workers {
		w := &o.Workers[i]
		w.Reason = c.workers[i].reason(w.Result, c.aborted || c.broken())
		if w.Reason != "" {
			o.Reasons = append(o.Reasons, "worker "+w.Name+": "+w.Reason)
		}
	}
	return o
}

// read reads a worker's result, more than once when the way there fails.
func (m *member) read(ctx context.Context) (result *Result, err error) {
	for range attempts {
		if result, err = m.Result(ctx); err == nil || answered(err) || errors.Is(err, ErrPhase) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("its result cannot be had: %w", err)
	}
	return result, check(result)
}

// check refuses a result that cannot be merged.
func check(r *Result) error {
	switch s := r.Snapshot; {
	case s == nil:
		return errors.New("its result has no measurements")
	case s.Start.IsZero() || s.Seconds < 0 || s.WarmUpSeconds < 0:
		return errors.New("its result is not one: found no time")
	default:
		for name, o := range s.Operations {
			if o == nil || o.Histogram == nil || o.Histogram.Count() != o.Count {
				return fmt.Errorf("its result does not add up: found another count of %s than its histogram holds", name)
			}
		}
	}
	return nil
}

// merge adds up what fits together, from the first worker on.
func (o *Outcome) merge(c *Coordinator) {
	var summaries []content.Summary
	for i := range o.Workers {
		w := &o.Workers[i]
		if w.Result == nil {
			continue
		}
		merged, err := w.Result.Snapshot, error(nil)
		if o.Snapshot == nil {
			merged, err = record.Merge(w.Result.Snapshot)
		} else {
			merged, err = record.Merge(o.Snapshot, w.Result.Snapshot)
		}
		if err != nil {
			c.workers[i].fail(fmt.Sprintf("its result does not fit the others': %v", err))
			continue
		}
		o.Snapshot = merged
		summaries = append(summaries, w.Result.Content)
	}
	o.Content = content.MergeSummaries(summaries...)
}

// reason says why a worker makes the run invalid. One that ended early because all were told to is not to blame.
func (m *member) reason(r *Result, told bool) string {
	switch {
	case m.failure != "":
		return m.failure
	case r == nil && !told:
		return "it has no result"
	case r != nil && len(r.Reasons) > 0:
		return strings.Join(r.Reasons, "; ")
	case r != nil && r.Aborted && !told:
		return "it was ended early by somebody else"
	}
	return ""
}
