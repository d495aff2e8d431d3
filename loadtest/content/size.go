package content

import (
	"math"
	"math/rand/v2"
)

// sizes draws sizes of bodies. Office mail follows what is measured on mail servers (Bertolotti and Calzarossa, "Models of mail server
// workloads", Performance Evaluation 46, 2001): a lognormal body and a Pareto tail. Here the tail is what carries files.
type sizes struct {
	attachments  float64 // share
	median       float64 // of the lognormal law
	deviation    float64 // of its logarithm
	lowest, most float64 // of the bounded Pareto law, and the largest message
	alpha        float64 // its exponent; 0: files do not make a message larger
}

func newSizes(o Options) sizes {
	s := sizes{attachments: o.AttachmentShare, median: 7800, deviation: 0.25, most: float64(o.MaxBytes)}
	if o.Sizes == Small {
		return s
	}
	if s.attachments == 0 {
		s.attachments = 0.15
	}
	mean := float64(o.MeanBytes)
	s.median, s.deviation = min(6000, mean/12), 1
	s.lowest = min(32<<10, mean, s.most/2)
	text := s.median * math.Exp(s.deviation*s.deviation/2)
	s.alpha = paretoExponent((mean-(1-s.attachments)*text)/s.attachments, s.lowest, s.most)
	return s
}

func (s *sizes) draw(rng *rand.Rand) (size int, attachment bool) {
	attachment = rng.Float64() < s.attachments
	x := s.median * math.Exp(s.deviation*rng.NormFloat64())
	if attachment && s.alpha > 0 {
		x = s.lowest * math.Pow(1-rng.Float64()*(1-math.Pow(s.lowest/s.most, s.alpha)), -1/s.alpha)
	}
	return int(min(max(x, 300), s.most)), attachment
}

// paretoMean is the mean of the Pareto law with exponent a between l and h.
func paretoMean(a, l, h float64) float64 {
	if math.Abs(a-1) < 1e-9 {
		return math.Log(h/l) * l / (1 - l/h)
	}
	return a / (a - 1) * (l - h*math.Pow(l/h, a)) / (1 - math.Pow(l/h, a))
}

// paretoExponent finds the exponent of a mean, which falls as the exponent rises. A mean out of reach gives the nearest.
func paretoExponent(mean, l, h float64) float64 {
	low, high := 0.01, 20.0
	for range 60 {
		if middle := (low + high) / 2; paretoMean(middle, l, h) > mean {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// recipients draws from the geometric law with the given mean, from 1 to 100.
func recipients(rng *rand.Rand, mean float64) int {
	if mean <= 1 {
		return 1
	}
	return int(min(100, 1+math.Floor(math.Log(1-rng.Float64())/math.Log(1-1/mean))))
}
