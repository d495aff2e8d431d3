package gate

import (
	"fmt"
	"math"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// BurnReport says how an objective's error budget fared in a run. An attempt is
// bad when it is answered late, fails or is never begun (skipped).
type BurnReport struct {
	Objective string  `json:"objective"`
	Good      int64   `json:"good"`
	Bad       int64   `json:"bad"`
	Budget    float64 `json:"budget"` // share of attempts that may be bad
	// Rate is how many times as fast as allowed the budget was used over the
	// whole run, that is Bad over what Budget allows; above 1 the objective
	// is missed.
	Rate    float64      `json:"rate"`
	Windows []BurnWindow `json:"windows"`
	// Reason says why nothing could be accounted; empty otherwise.
	Reason string `json:"reason,omitempty"`
	// Alert: an SRE on this objective would have been called.
	Alert bool `json:"alert"`
}

// BurnWindow is one pair of windows: the long one says that it matters, the
// short one that it is still going on. Runs shorter than a window are one
// window of their own length.
type BurnWindow struct {
	Seconds      float64 `json:"seconds"`      // the long window, at most the run
	ShortSeconds float64 `json:"shortSeconds"` // the short window, at most the run
	Threshold    float64 `json:"threshold"`    // burn rate from which it alerts
	Worst        float64 `json:"worst"`        // highest rate that both windows reached at one time
	At           float64 `json:"at"`           // that time, seconds after the start
	Alert        bool    `json:"alert"`
}

// workbook are the recommended windows and burn rates for a budget of 30 days:
// 2 % of it in an hour, 5 % in six hours, 10 % in three days (Google, "The
// Site Reliability Workbook", chapter 5, table 5-8).
var workbook = []struct {
	long, short time.Duration
	threshold   float64
}{
	{time.Hour, 5 * time.Minute, 14.4},
	{6 * time.Hour, 30 * time.Minute, 6},
	{72 * time.Hour, 6 * time.Hour, 1},
}

// Burn computes an objective's burn: exact over the run from the operation's
// histogram, and by windows from the series (by completion time, after the
// warm-up). An operation without attempts is an error.
func Burn(o Objective, s *record.Snapshot) (BurnReport, error) {
	if !(o.Share > 0 && o.Share < 1) || o.Within <= 0 {
		return BurnReport{}, fmt.Errorf("objective: found %q; accepted is a share between 0 and 1 within a positive time", o)
	}
	op := s.Operations[o.Operation]
	if op == nil || op.Count+op.Errors+op.Skipped == 0 {
		return BurnReport{}, fmt.Errorf("objective %q: found no attempts at %s; accepted is at least one", o, o.Operation)
	}
	r := BurnReport{Objective: o.String(), Budget: 1 - o.Share, Windows: []BurnWindow{}}
	op.Histogram.Buckets(func(_, to time.Duration, count int64) {
		if to <= o.Within { // a bucket is in time if all of it is
			r.Good += count
		}
	})
	r.Bad = op.Count - r.Good + op.Errors + op.Skipped
	r.Rate = float64(r.Bad) / float64(r.Good+r.Bad) / r.Budget
	if s.Series == nil {
		return r, nil
	}
	steps := burnSteps(o, op, s)
	if len(steps) < 2 {
		return r, nil
	}
	for _, w := range workbook {
		window := worst(steps, s.Series.WidthSeconds, w.long.Seconds(), w.short.Seconds(), r.Budget)
		window.Threshold = w.threshold
		window.Alert = window.Worst >= w.threshold
		r.Windows = append(r.Windows, window)
		r.Alert = r.Alert || window.Alert
	}
	return r, nil
}

// burnStep is the sum of attempts up to a time.
type burnStep struct{ end, bad, all float64 }

// burnSteps accumulates the series after the warm-up; the first step is zero.
func burnSteps(o Objective, op *record.OperationSnapshot, s *record.Snapshot) []burnStep {
	var steps []burnStep
	for _, in := range s.Series.Intervals {
		if in.Seconds < s.WarmUpSeconds {
			continue
		}
		if steps == nil {
			steps = append(steps, burnStep{end: in.Seconds})
		}
		next := steps[len(steps)-1]
		next.end = in.Seconds + s.Series.WidthSeconds
		if c := in.Operations[o.Operation]; c != nil {
			all := float64(c.Count + c.Errors + c.Skipped)
			next.all += all
			next.bad += all - inTime(o.Within, c, op.Histogram)
		}
		steps = append(steps, next)
	}
	return steps
}

// inTime counts a cell's successes within a limit. The cell's bucket across
// the limit is 6 % wide: it is divided as the run's own histogram, sixty times
// finer, divides there.
func inTime(within time.Duration, c *record.Cell, h *record.Histogram) float64 {
	good := 0.0
	c.Latency.Each(func(from, to time.Duration, count int64) {
		switch {
		case to <= within:
			good += float64(count)
		case from <= within:
			good += float64(count) * shareWithin(h, from, to, within)
		}
	})
	return good
}

func shareWithin(h *record.Histogram, from, to, within time.Duration) float64 {
	var all, good int64
	h.Buckets(func(lo, hi time.Duration, count int64) {
		if lo >= from && hi <= to {
			all += count
			if hi <= within {
				good += count
			}
		}
	})
	if all == 0 { // only in the warm-up
		return 0
	}
	return float64(good) / float64(all)
}

// worst slides a pair of windows over the steps, as an alert that began with
// the run would: the long window grows until it is full, the short one is full
// from the beginning.
func worst(steps []burnStep, width, long, short, budget float64) BurnWindow {
	n := len(steps) - 1
	nLong := min(n, max(1, int(math.Round(long/width))))
	nShort := min(n, max(1, int(math.Round(short/width))))
	w := BurnWindow{Seconds: float64(nLong) * width, ShortSeconds: float64(nShort) * width}
	rate := func(i, k int) float64 {
		a, b := steps[max(0, i-k)], steps[i]
		if b.all == a.all {
			return 0
		}
		return (b.bad - a.bad) / (b.all - a.all) / budget
	}
	for i := nShort; i <= n; i++ {
		if both := min(rate(i, nLong), rate(i, nShort)); both > w.Worst {
			w.Worst, w.At = both, steps[i].end
		}
	}
	return w
}
