package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Merge adds up the snapshots of one run's workers, exactly: every bucket of
// every histogram, every count, and the series at the coarsest width among
// them, aligned by their starts. Gauges add, so that their maxima are an upper
// bound of the sum's. Snapshots whose starts differ by more than a second,
// whose warm-ups differ or whose counts contradict each other are errors.
func Merge(snapshots ...*Snapshot) (*Snapshot, error) {
	if len(snapshots) == 0 {
		return nil, errors.New("merge: found no snapshot; accepted is at least one")
	}
	m := &Snapshot{Operations: map[string]*OperationSnapshot{}, Lag: NewHistogram()}
	for i, s := range snapshots {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("snapshot %d: %w", i, err)
		}
		first := snapshots[0]
		if d := s.Start.Sub(first.Start).Abs(); d > time.Second {
			return nil, fmt.Errorf("snapshot %d: start: found %s; accepted is within 1 s of %s, else it is not one run",
				i, s.Start.Format(time.RFC3339Nano), first.Start.Format(time.RFC3339Nano))
		}
		if s.WarmUpSeconds != first.WarmUpSeconds {
			return nil, fmt.Errorf("snapshot %d: warmUpSeconds: found %g; accepted is %g as in the first", i, s.WarmUpSeconds, first.WarmUpSeconds)
		}
		if i == 0 || s.Start.Before(m.Start) {
			m.Start = s.Start
		}
		m.WarmUpSeconds = s.WarmUpSeconds
		m.Seconds = max(m.Seconds, s.Seconds)
		if err := m.add(s); err != nil {
			return nil, fmt.Errorf("snapshot %d: %w", i, err)
		}
	}
	for _, o := range m.Operations {
		o.Classes = boundClasses(o.Classes)
	}
	m.Series = mergeSeries(m.Seconds, snapshots)
	return m, nil
}

// add merges counts and histograms.
func (s *Snapshot) add(from *Snapshot) error {
	if err := s.Lag.Merge(from.Lag); err != nil {
		return fmt.Errorf("lag: %w", err)
	}
	for name, f := range from.Operations {
		o := s.Operations[name]
		if o == nil {
			o = &OperationSnapshot{Classes: map[string]int64{}, Histogram: NewHistogram()}
			s.Operations[name] = o
		}
		o.addCounts(f)
		if err := o.Histogram.Merge(f.Histogram); err != nil {
			return fmt.Errorf("operations[%s]: %w", name, err)
		}
		if f.Failures.Count() > 0 && o.Failures == nil {
			o.Failures = NewHistogram()
		}
		if err := o.Failures.Merge(f.Failures); err != nil {
			return fmt.Errorf("operations[%s]: failures: %w", name, err)
		}
	}
	return nil
}

// boundClasses keeps the MaxClasses most frequent classes, ties by name, and
// counts the others as Other.
func boundClasses(classes map[string]int64) map[string]int64 {
	if len(classes) <= MaxClasses+1 {
		return classes
	}
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for _, name := range names[MaxClasses:] {
		if name != Other {
			classes[Other] += classes[name]
			delete(classes, name)
		}
	}
	return classes
}

// mergeSeries adds series interval by interval at the coarsest width.
func mergeSeries(seconds float64, snapshots []*Snapshot) *Series {
	var shift uint
	for _, s := range snapshots {
		shift = max(shift, s.Series.shift())
	}
	var points lane[point]
	points.shift = shift
	operations := map[string]lane[Cell]{}
	for _, s := range snapshots {
		p, cells := s.Series.lanes()
		p.widen(shift, foldPoint)
		for i, from := range p.items {
			if i == len(points.items) {
				points.items = append(points.items, point{})
			}
			into := &points.items[i]
			into.inFlight += from.inFlight
			into.sessions += from.sessions
			into.lag = max(into.lag, from.lag)
		}
		for name, l := range cells {
			l.widen(shift, foldCell)
			sum := operations[name]
			sum.shift = shift
			for i := range l.items {
				if i == len(sum.items) {
					sum.items = append(sum.items, Cell{})
				}
				sum.items[i].merge(&l.items[i])
			}
			operations[name] = sum
		}
	}
	return newSeries(seconds, points, operations)
}

func (s *Series) shift() uint {
	if s == nil {
		return 0
	}
	return uint(bits.Len64(uint64(s.WidthSeconds)) - 1)
}

// lanes copies the series into lanes of its own width.
func (s *Series) lanes() (lane[point], map[string]lane[Cell]) {
	points := lane[point]{shift: s.shift()}
	cells := map[string]lane[Cell]{}
	if s == nil {
		return points, cells
	}
	for i, in := range s.Intervals {
		points.items = append(points.items, point{in.InFlight, in.Sessions, in.Lag})
		for name, c := range in.Operations {
			l := cells[name]
			if l.items == nil {
				l = lane[Cell]{shift: points.shift, items: make([]Cell, len(s.Intervals))}
				cells[name] = l
			}
			l.items[i] = c.clone()
		}
	}
	return points, cells
}

// check refuses what a recorder cannot have made: it may come from afar.
func (s *Snapshot) check() error {
	if s == nil {
		return errors.New("found none")
	}
	for _, v := range []float64{s.Seconds, s.WarmUpSeconds} {
		if !(v >= 0 && v <= math.MaxInt32) {
			return fmt.Errorf("seconds: found %g; accepted is 0 to %d", v, math.MaxInt32)
		}
	}
	for name, o := range s.Operations {
		if err := o.check(); err != nil {
			return fmt.Errorf("operations[%s]: %w", name, err)
		}
	}
	return s.Series.check()
}

func (o *OperationSnapshot) check() error {
	if o == nil {
		return errors.New("found null; accepted is an object")
	}
	for _, n := range []int64{o.Count, o.Errors, o.Skipped, o.WarmUp, o.WarmUpErrors, o.Sent, o.Received} {
		if n < 0 {
			return fmt.Errorf("found the count %d; accepted is 0 or more", n)
		}
	}
	var classes int64
	for _, n := range o.Classes {
		classes += n
	}
	switch {
	case o.Histogram.Count() != o.Count:
		return fmt.Errorf("count: found %d; accepted is the histogram's %d", o.Count, o.Histogram.Count())
	case o.Failures.Count() != o.Errors || classes != o.Errors:
		return fmt.Errorf("errors: found %d; accepted is the sum of classes %d and the count of failures %d", o.Errors, classes, o.Failures.Count())
	}
	return nil
}

func (s *Series) check() error {
	if s == nil {
		return nil
	}
	w := s.WidthSeconds
	if !(w >= 1 && w <= 1<<31) || w != math.Trunc(w) || bits.OnesCount64(uint64(w)) != 1 {
		return fmt.Errorf("series.widthSeconds: found %g; accepted is a power of two from 1", w)
	}
	if len(s.Intervals) > MaxIntervals {
		return fmt.Errorf("series.intervals: found %d; accepted are at most %d", len(s.Intervals), MaxIntervals)
	}
	for i, in := range s.Intervals {
		for name, c := range in.Operations {
			if c == nil || c.Count < 0 || c.Errors < 0 || c.Skipped < 0 || c.Latency.Count() != c.Count {
				return fmt.Errorf("series.intervals[%d].operations[%s]: found %+v; accepted are counts of 0 or more and as many latencies", i, name, c)
			}
		}
	}
	return nil
}
