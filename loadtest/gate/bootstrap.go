package gate

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"gouv.tg/messagerie/loadtest/record"
)

// distribution is a histogram prepared for the inverse of its cumulated
// counts; values are spread evenly over their bucket.
type distribution struct {
	from, to   []float64 // seconds
	cumulative []float64
}

func newDistribution(h *record.Histogram) distribution {
	var d distribution
	sum := 0.0
	h.Buckets(func(from, to time.Duration, count int64) {
		sum += float64(count)
		d.from = append(d.from, from.Seconds())
		d.to = append(d.to, (to + time.Microsecond).Seconds())
		d.cumulative = append(d.cumulative, sum)
	})
	return d
}

func (d distribution) count() float64 {
	if len(d.cumulative) == 0 {
		return 0
	}
	return d.cumulative[len(d.cumulative)-1]
}

// inverse returns the value at a share of the distribution, in seconds.
func (d distribution) inverse(share float64) float64 {
	rank := share * d.count()
	i := min(sort.SearchFloat64s(d.cumulative, rank), len(d.cumulative)-1)
	below := 0.0
	if i > 0 {
		below = d.cumulative[i-1]
	}
	within := (rank - below) / (d.cumulative[i] - below)
	return d.from[i] + within*(d.to[i]-d.from[i])
}

// bootstrap draws ratios of b's quantile q over a's, ascending. The quantile
// of n values drawn with replacement is the order statistic of rank k =
// ceil(qn) of n uniform shares, which has the distribution Beta(k, n-k+1): one
// draw of that and one look-up replace n draws, whatever n is.
func bootstrap(a, b distribution, q float64, draws int, rng *rand.Rand) []float64 {
	ratios := make([]float64, draws)
	drawA, drawB := order(a.count(), q, rng), order(b.count(), q, rng)
	for i := range ratios {
		ratios[i] = b.inverse(drawB.Rand()) / a.inverse(drawA.Rand())
	}
	slices.Sort(ratios)
	return ratios
}

func order(n, q float64, src rand.Source) distuv.Beta {
	k := min(max(1, math.Ceil(q*n-1e-9*n)), n)
	return distuv.Beta{Alpha: k, Beta: n - k + 1, Src: src}
}

// interval holds the central share level of ascending values.
func interval(values []float64, level float64) (low, high float64) {
	tail := int((1 - level) / 2 * float64(len(values)))
	return values[tail], values[len(values)-1-tail]
}
