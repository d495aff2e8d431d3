// Package plot draws figures over time as SVG that stretches with its page: the curves are in a stretched SVG, the labels
// are text of the page around it and keep their size. Colours come from the page's style sheet by class name.
package plot

import (
	"cmp"
	"math"
)

// Scale maps values to 0 (bottom) … 1 (top). Low is above 0 when Log is set.
type Scale struct {
	Low, High float64
	Log       bool
	unit      float64 // ticks are round multiples of it; 0: 1
}

// Linear is a scale from 0 to a round figure not below high.
func Linear(high float64) Scale {
	high = bounded(high, 1)
	step := roundStep(high / 4)
	return Scale{High: step * math.Ceil(high/step-1e-9)}
}

// LinearBytes is Linear for figures that are shown in binary units.
func LinearBytes(high float64) Scale {
	unit := 1.0
	high = bounded(high, 1)
	for high >= 1024*unit {
		unit *= 1024
	}
	s := Linear(high / unit)
	return Scale{High: s.High * unit, unit: unit}
}

// Logarithmic is a scale between round figures (1, 2 or 5 times a power of ten) around low and high, at least a factor
// of 5 apart.
func Logarithmic(low, high float64) Scale {
	low = bounded(low, 1e-3)
	high = max(low, bounded(high, low))
	s := Scale{Low: roundDown(low), High: roundUp(high), Log: true}
	for s.High < 5*s.Low*(1-1e-9) {
		s.High = roundUp(s.High * 1.01)
	}
	return s
}

// At is where v lies; values outside are put on the border. NaN gives NaN.
func (s Scale) At(v float64) float64 {
	if s.Log {
		return clamp(math.Log(math.Max(v, s.Low)/s.Low) / math.Log(s.High/s.Low))
	}
	return clamp((v - s.Low) / (s.High - s.Low))
}

// Ticks are 3 to 8 round values from Low to High, ascending.
func (s Scale) Ticks() []float64 {
	var ticks []float64
	if !s.Log {
		unit := cmp.Or(s.unit, 1)
		step := unit * roundStep((s.High-s.Low)/4/unit)
		for i := 0; i <= 8 && s.Low+float64(i)*step <= s.High*(1+1e-9); i++ {
			ticks = append(ticks, s.Low+float64(i)*step)
		}
		return ticks
	}
	decades := math.Log10(s.High / s.Low)
	mantissas := []float64{1, 2, 5}
	every := 1
	if decades > 2.4 {
		mantissas = []float64{1}
		every = 1 + int(decades/6)
	}
	first := int(math.Floor(math.Log10(s.Low) + 1e-9))
	for e := first; ; e++ {
		for _, m := range mantissas {
			v := m * math.Pow10(e)
			if v > s.High*(1+1e-9) {
				return ticks
			}
			if v >= s.Low*(1-1e-9) && (e-first)%every == 0 {
				ticks = append(ticks, v)
			}
		}
	}
}

// timeTicks are at most 8 round moments from from to to, in seconds.
func timeTicks(from, to float64) []float64 {
	steps := []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400}
	step := steps[len(steps)-1]
	for _, s := range steps {
		if (to-from)/s <= 7 {
			step = s
			break
		}
	}
	for (to-from)/step > 7 {
		step *= 2
	}
	var ticks []float64
	// Adding 0 makes -0 a 0.
	for t := math.Ceil(from/step)*step + 0; t <= to; t += step {
		ticks = append(ticks, t)
	}
	return ticks
}

func roundStep(v float64) float64 {
	p := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if v <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

func roundUp(v float64) float64 {
	p := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

func roundDown(v float64) float64 {
	p := math.Pow10(int(math.Floor(math.Log10(v) + 1e-9)))
	for _, m := range []float64{5, 2} {
		if v >= m*p*(1-1e-9) {
			return m * p
		}
	}
	return p
}

// bounded keeps a figure where scales can be computed: above 0 and finite.
func bounded(v, otherwise float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return otherwise
	}
	return min(max(v, 1e-12), 1e18)
}

func clamp(v float64) float64 {
	switch {
	case v < 0:
		return 0
	case v > 1:
		return 1
	}
	return v
}
