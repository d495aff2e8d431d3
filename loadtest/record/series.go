package record

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// MaxIntervals bounds a series: when it is full, neighbours merge and the
// width doubles, so that a day costs what a minute costs.
const MaxIntervals = 512

// Series are the counts over time, by completion time, warm-up included. The
// width of an interval is 1, 2, 4, … seconds; interval i begins i widths after
// the start of the run.
type Series struct {
	WidthSeconds float64    `json:"widthSeconds"`
	Intervals    []Interval `json:"intervals"`
}

// Interval is one step of a Series.
type Interval struct {
	Seconds  float64       // its beginning, after the start of the run
	InFlight int64         // most operations in flight
	Sessions int64         // most sessions
	Lag      time.Duration // longest lag of the generator
	// Operations has the operations that completed (or were skipped) in it.
	Operations map[string]*Cell
}

// Cell counts one operation in one interval.
type Cell struct {
	Count   int64 `json:"count"` // successes
	Errors  int64 `json:"errors,omitempty"`
	Skipped int64 `json:"skipped,omitempty"`
	// Latency of successes; nil when there were none.
	Latency *Sparse `json:"latency,omitempty"`
}

// clone shares the latencies until one of both records more.
func (c Cell) clone() Cell {
	if c.Latency != nil && !c.Latency.shared {
		c.Latency.shared = true
	}
	return c
}

// latency is what c records in.
func (c *Cell) latency() *Sparse {
	switch {
	case c.Latency == nil:
		c.Latency = &Sparse{}
	case c.Latency.shared:
		c.Latency = &Sparse{words: slices.Clone(c.Latency.words)}
	}
	return c.Latency
}

func (c *Cell) merge(from *Cell) {
	c.Count += from.Count
	c.Errors += from.Errors
	c.Skipped += from.Skipped
	switch {
	case from.Latency == nil:
	case c.Latency == nil:
		c.Latency = from.clone().Latency
	default:
		c.latency().Merge(from.Latency)
	}
}

// newSeries joins lanes at the coarsest of their widths. It covers the seconds
// of the run and whatever completed later. It takes the lanes over.
func newSeries(seconds float64, points lane[point], operations map[string]lane[Cell]) *Series {
	shift := max(shiftFor(seconds), points.shift)
	for _, l := range operations {
		shift = max(shift, l.shift)
	}
	points.widen(shift, foldPoint)
	n := max(int(intervals(seconds, shift)), len(points.items))
	for name, l := range operations {
		l.widen(shift, foldCell)
		operations[name] = l
		n = max(n, len(l.items))
	}
	width := float64(uint64(1) << shift)
	s := &Series{WidthSeconds: width, Intervals: make([]Interval, n)}
	for i := range s.Intervals {
		in := &s.Intervals[i]
		in.Seconds = float64(i) * width
		if i < len(points.items) {
			p := points.items[i]
			in.InFlight, in.Sessions, in.Lag = p.inFlight, p.sessions, p.lag
		}
		for name, l := range operations {
			if i < len(l.items) && l.items[i] != (Cell{}) {
				if in.Operations == nil {
					in.Operations = make(map[string]*Cell, len(operations))
				}
				in.Operations[name] = &l.items[i]
			}
		}
	}
	return s
}

// intervalJSON is Interval with its lag in seconds, like all times in reports.
type intervalJSON struct {
	Seconds    float64          `json:"seconds"`
	InFlight   int64            `json:"inFlight"`
	Sessions   int64            `json:"sessions"`
	Lag        float64          `json:"lag"`
	Operations map[string]*Cell `json:"operations,omitempty"`
}

// MarshalJSON writes the lag in seconds.
func (i Interval) MarshalJSON() ([]byte, error) {
	return json.Marshal(intervalJSON{i.Seconds, i.InFlight, i.Sessions, i.Lag.Seconds(), i.Operations})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (i *Interval) UnmarshalJSON(data []byte) error {
	var j intervalJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	if !(math.Abs(j.Lag) < 1e9) {
		return fmt.Errorf("lag: found %g s; accepted is less than 1e9", j.Lag)
	}
	*i = Interval{j.Seconds, j.InFlight, j.Sessions, time.Duration(math.Round(j.Lag * 1e9)), j.Operations}
	return nil
}
