// Package schedule says when operations are meant to start: Poisson or evenly
// spaced arrivals whose rate follows a curve, reproducible by seed and split
// over any number of workers.
package schedule

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// MaxPoints and MaxFactor bound a curve.
const (
	MaxPoints = 10_000
	MaxFactor = 1e6
)

// Point is a vertex of a piecewise linear curve: at At after the start of the
// run the base rate is multiplied by Factor.
type Point struct {
	At     time.Duration `json:"at"`
	Factor float64       `json:"factor"`
}

// Curve multiplies a base rate over time: linear between points, flat before
// the first and after the last; empty: 1 throughout. Two points at one time
// make a step, whose later value holds from there on. Ramps, days and spikes
// are curves.
type Curve []Point

// At is the factor at t.
func (c Curve) At(t time.Duration) float64 {
	if len(c) == 0 {
		return 1
	}
	i := sort.Search(len(c), func(i int) bool { return c[i].At > t })
	switch i {
	case 0:
		return c[0].Factor
	case len(c):
		return c[len(c)-1].Factor
	}
	a, b := c[i-1], c[i]
	return a.Factor + (b.Factor-a.Factor)*float64(t-a.At)/float64(b.At-a.At)
}

// Integral is the area under the curve from 0 to t, in seconds: the time at
// factor 1 that brings as many arrivals. Zero for t <= 0.
func (c Curve) Integral(t time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	var sum float64
	from, factor := time.Duration(0), c.At(0)
	for _, p := range c {
		if p.At <= from {
			continue
		}
		if p.At > t {
			break
		}
		// The left limit at a step is the factor of its first point.
		sum += (factor + p.Factor) / 2 * (p.At - from).Seconds()
		from, factor = p.At, c.At(p.At)
	}
	return sum + (factor+c.At(t))/2*(t-from).Seconds()
}

// Validate reports the first point that is out of order or out of range.
func (c Curve) Validate() error {
	if len(c) > MaxPoints {
		return fmt.Errorf("curve: found %d points; accepted are at most %d", len(c), MaxPoints)
	}
	for i, p := range c {
		if p.At < 0 {
			return fmt.Errorf("curve[%d].at: found %v; accepted is 0s or later", i, p.At)
		}
		if i > 0 && p.At < c[i-1].At {
			return fmt.Errorf("curve[%d].at: found %v after %v; accepted are ascending times", i, p.At, c[i-1].At)
		}
		if !(p.Factor >= 0 && p.Factor <= MaxFactor) || math.IsInf(p.Factor, 0) {
			return fmt.Errorf("curve[%d].factor: found %g; accepted is 0 to %g", i, p.Factor, MaxFactor)
		}
	}
	return nil
}
