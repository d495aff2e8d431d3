package record

import (
	"math"
	"time"
)

// lane is the values of one track over time. Interval i covers the seconds
// from i<<shift on; a lane that would exceed MaxIntervals folds neighbours and
// widens its intervals. Since widths are powers of two of one second, folding
// early or late comes to the same: lanes of several recorders stay aligned.
type lane[T any] struct {
	shift uint
	items []T
}

// at returns the interval of an offset from the start, folding to make room;
// new intervals up to it begin with fill. What lies before the start belongs
// to the first interval.
func (l *lane[T]) at(offset time.Duration, fill T, fold func(into, from *T)) *T {
	seconds := max(0, int64(offset/time.Second))
	for seconds>>l.shift >= MaxIntervals {
		l.widen(l.shift+1, fold)
	}
	i := int(seconds >> l.shift)
	for len(l.items) <= i {
		l.items = append(l.items, fill)
	}
	return &l.items[i]
}

// widen folds neighbours until an interval is 1<<shift seconds wide.
func (l *lane[T]) widen(shift uint, fold func(into, from *T)) {
	for ; l.shift < shift; l.shift++ {
		n := (len(l.items) + 1) / 2
		for i := range n {
			l.items[i] = l.items[2*i]
			if 2*i+1 < len(l.items) {
				fold(&l.items[i], &l.items[2*i+1])
			}
		}
		clear(l.items[n:])
		l.items = l.items[:n]
	}
}

// shiftFor is the narrowest width at which so many seconds fit into a series.
func shiftFor(seconds float64) uint {
	shift := uint(0)
	for intervals(seconds, shift) > MaxIntervals {
		shift++
	}
	return shift
}

// intervals is how many intervals cover so many seconds.
func intervals(seconds float64, shift uint) float64 {
	return math.Ceil(seconds / float64(uint64(1)<<shift))
}

// point is what the whole worker shows in one interval: maxima.
type point struct {
	inFlight, sessions int64
	lag                time.Duration
}

func foldPoint(into, from *point) {
	into.inFlight = max(into.inFlight, from.inFlight)
	into.sessions = max(into.sessions, from.sessions)
	into.lag = max(into.lag, from.lag)
}

func foldCell(into, from *Cell) { into.merge(from) }
