package schedule

import (
	"math"
	"time"
)

// Arrivals yields intended start times, ascending (two may coincide to the
// nanosecond), as offsets from the start of the run. Deterministic by seed,
// O(1) memory beside the curve. Not safe for concurrent use.
type Arrivals struct {
	cursor cursor
	// next returns the operational time of the next arrival: seconds at
	// factor 1.
	next  func() float64
	last  time.Duration
	until time.Duration
}

// Poisson yields the arrivals of a non-homogeneous Poisson process of rate
// times the curve, per second, within [from, until). It draws a process of
// constant rate in operational time and maps it back through the inverse of
// the curve's integral (Çinlar, "Introduction to Stochastic Processes", 4.7),
// so nothing is drawn in vain. W workers with rate/W and a seed each add up to
// one process of the whole rate. A rate that is not positive and finite yields
// nothing; a curve that does not validate panics.
func Poisson(rate float64, curve Curve, seed uint64, from, until time.Duration) *Arrivals {
	a := arrivals(rate, curve, from, until)
	rng := Stream(seed, "schedule.Poisson", 0)
	now := curve.Integral(a.last)
	a.next = func() float64 {
		now += rng.ExpFloat64() / rate
		return now
	}
	return a
}

// Constant yields arrivals evenly spaced in operational time: 1/rate apart
// where the curve's factor is 1. The seed shifts the phase such that workers
// with rate/W and successive seeds interleave almost evenly (Fibonacci
// hashing: Knuth, TAOCP 3, 6.4). Limits as in Poisson.
func Constant(rate float64, curve Curve, seed uint64, from, until time.Duration) *Arrivals {
	a := arrivals(rate, curve, from, until)
	phase := float64((seed*0x9E3779B97F4A7C15)>>11) / (1 << 53) // 2^64 over the golden ratio
	origin, k := curve.Integral(a.last), 0.0
	a.next = func() float64 {
		at := origin + (k+phase)/rate // no sum: no error that grows
		k++
		return at
	}
	return a
}

func arrivals(rate float64, curve Curve, from, until time.Duration) *Arrivals {
	if err := curve.Validate(); err != nil {
		panic("schedule: " + err.Error())
	}
	a := &Arrivals{cursor: cursor{curve: curve}, last: max(0, from), until: until}
	if !(rate > 0) || math.IsInf(rate, 0) {
		a.until = 0
	}
	return a
}

// Next returns the next intended start; not ok when there is none before the
// end, then and ever after.
func (a *Arrivals) Next() (at time.Duration, ok bool) {
	if a.last >= a.until {
		return 0, false
	}
	seconds, ok := a.cursor.invert(a.next())
	if !ok || seconds >= a.until.Seconds() {
		a.last = a.until
		return 0, false
	}
	at = max(a.last, time.Duration(seconds*float64(time.Second)))
	if at >= a.until { // the last nanosecond, rounded
		a.last = a.until
		return 0, false
	}
	a.last = at
	return at, true
}

// cursor inverts a curve's integral for ascending areas.
type cursor struct {
	curve   Curve
	segment int     // segment i ends at point i; the last one does not end
	area    float64 // integral up to the segment's beginning
}

// invert returns the time, in seconds, at which the integral reaches area. Not
// ok when it never does. The factor is linear in a segment, so the integral is
// quadratic and inverts exactly.
func (c *cursor) invert(area float64) (seconds float64, ok bool) {
	for ; ; c.segment++ {
		begin, first, last := c.bounds()
		rest := area - c.area
		if c.segment == len(c.curve) {
			if rest <= 0 {
				return begin, true
			}
			return begin + rest/first, first > 0
		}
		length := c.curve[c.segment].At.Seconds() - begin
		whole := (first + last) / 2 * length
		if rest > whole {
			c.area += whole
			continue
		}
		if rest <= 0 {
			return begin, true
		}
		// The root of first*x + slope*x^2/2 = rest in the form that does not
		// cancel; rounding may take the discriminant below zero at the end of
		// a ramp down to nothing.
		slope := (last - first) / length
		x := 2 * rest / (first + math.Sqrt(max(0, first*first+2*slope*rest)))
		return begin + min(x, length), true
	}
}

// bounds describes the current segment: its beginning in seconds and the
// factors at its two ends.
func (c *cursor) bounds() (begin, first, last float64) {
	switch i := c.segment; {
	case len(c.curve) == 0:
		return 0, 1, 1
	case i == 0:
		return 0, c.curve[0].Factor, c.curve[0].Factor
	case i == len(c.curve):
		p := c.curve[i-1]
		return p.At.Seconds(), p.Factor, p.Factor
	default:
		a, b := c.curve[i-1], c.curve[i]
		return a.At.Seconds(), a.Factor, b.Factor
	}
}
