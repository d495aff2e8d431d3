package schedule

import (
	"math/rand/v2"
	"time"
)

// Arrivals yields intended start times.
type Arrivals struct{}

// Poisson yields arrivals of a non-homogeneous Poisson process.
func Poisson(rate float64, curve Curve, seed uint64, from, until time.Duration) *Arrivals {
	return &Arrivals{}
}

// Constant yields arrivals evenly spaced in operational time.
func Constant(rate float64, curve Curve, seed uint64, from, until time.Duration) *Arrivals {
	return &Arrivals{}
}

// Next returns the next arrival.
func (a *Arrivals) Next() (at time.Duration, ok bool) { return 0, false }

// Diurnal is a day's shape.
func Diurnal(total time.Duration) Curve { return nil }

// Spike is a step up and down.
func Spike(at, width time.Duration, factor float64) Curve {
	return Curve{{at, 1}, {at, factor}, {at + width, factor}, {at + width, 1}}
}

// Stream is an independent, named random stream.
func Stream(seed uint64, name string, index int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(index)))
}
