package gate

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/schedule"
)

// Change is the judgement of a comparison, of the second run against the first.
type Change string

// Changes.
const (
	Faster  Change = "faster"
	Slower  Change = "slower"
	Same    Change = "same"
	Unknown Change = "unknown" // not enough samples to tell
)

// Comparison of two runs, a the baseline and b the candidate.
type Comparison struct {
	// Verdict is slower if any operation is, else unknown if any is, else
	// faster if any is, else same.
	Verdict    Change                `json:"verdict"`
	Regression bool                  `json:"regression"` // an operation is slower, fails more or is gone
	Operations []OperationComparison `json:"operations"` // by name
}

// OperationComparison compares one operation.
type OperationComparison struct {
	Name      string     `json:"name"`
	Verdict   Change     `json:"verdict"` // of its quantiles, as for the whole
	Reason    string     `json:"reason,omitempty"`
	CountA    int64      `json:"countA"`
	CountB    int64      `json:"countB"`
	RateA     float64    `json:"rateA"` // successes per second
	RateB     float64    `json:"rateB"`
	Quantiles []Ratio    `json:"quantiles"`
	Errors    Difference `json:"errors"`
	// Gone: a did it, b never tried.
	Gone bool `json:"gone,omitempty"`
}

// Ratio is b's quantile over a's.
type Ratio struct {
	Quantile string  `json:"quantile"` // "p50", "p95" or "p99"
	A        float64 `json:"a"`        // seconds
	B        float64 `json:"b"`        // seconds
	Ratio    float64 `json:"ratio"`    // zero: unknown
	Low      float64 `json:"low"`      // 95 % confidence interval of Ratio
	High     float64 `json:"high"`
	Verdict  Change  `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`
}

// Difference of the shares of attempts that failed or were never begun.
type Difference struct {
	A          float64 `json:"a"` // fraction
	B          float64 `json:"b"`
	Difference float64 `json:"difference"` // b - a
	Low        float64 `json:"low"`        // 95 % confidence interval of Difference
	High       float64 `json:"high"`
	More       bool    `json:"more"` // significantly more in b
}

const (
	// margin is the least change worth a name: two runs of one build differ
	// by about that much for reasons that samples within a run do not show.
	margin = .05
	// wide is how far an interval may reach for a run to be called the same.
	wide = .25
	// beyondQuantile is the least number of samples expected above a quantile.
	beyondQuantile = 10
	// level of confidence, and the number of bootstrap samples behind it.
	level = .95
	draws = 10_000
)

var compared = []struct {
	name string
	q    float64
}{{"p50", .5}, {"p95", .95}, {"p99", .99}}

// Compare compares two runs of the same test. Quantiles get a bootstrap
// percentile interval of their ratio, drawn from the runs' histograms (Efron
// and Tibshirani, "An Introduction to the Bootstrap", 13.3); shares of errors
// Newcombe's hybrid score interval (1998, method 10). Intervals shown are of
// 95 % each; verdicts use wider ones, such that a comparison of two equal runs
// finds any difference in at most 5 % of cases (Bonferroni), and differences
// below 5 % are "same" whatever their significance. Samples of one run are
// taken for independent, so that runs on busy machines deserve repetition.
// Deterministic by seed.
func Compare(a, b *record.Snapshot, seed uint64) Comparison {
	names := maps.Clone(a.Operations)
	maps.Copy(names, b.Operations)
	c := Comparison{Verdict: Unknown, Operations: []OperationComparison{}}
	strict := 1 - (1-level)/float64(max(1, len(compared)*len(names)))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		o := compareOperation(name, a, b, seed, strict)
		c.Regression = c.Regression || o.Verdict == Slower || o.Errors.More || o.Gone
		c.Operations = append(c.Operations, o)
	}
	verdicts := make([]Change, len(c.Operations))
	for i, o := range c.Operations {
		verdicts[i] = o.Verdict
	}
	c.Verdict = overall(verdicts)
	return c
}

func overall(verdicts []Change) Change {
	for _, v := range []Change{Slower, Unknown, Faster, Same} {
		if slices.Contains(verdicts, v) {
			return v
		}
	}
	return Unknown
}

func compareOperation(name string, a, b *record.Snapshot, seed uint64, strict float64) OperationComparison {
	o := OperationComparison{Name: name, Verdict: Unknown, Quantiles: []Ratio{}}
	x, y := a.Operations[name], b.Operations[name]
	switch {
	case x != nil && x.Count >= beyondQuantile && (y == nil || y.Count+y.Errors+y.Skipped == 0):
		o.CountA, o.RateA, o.Gone, o.Reason = x.Count, perSecond(x.Count, a), true, "gone: the second run never tried it"
		return o
	case x == nil || y == nil:
		o.Reason = "only one of the runs has it"
		return o
	}
	o.CountA, o.CountB = x.Count, y.Count
	o.RateA, o.RateB = perSecond(x.Count, a), perSecond(y.Count, b)
	o.Errors = compareErrors(x, y, strict)
	p, q := newDistribution(x.Histogram), newDistribution(y.Histogram)
	var verdicts []Change
	for i, k := range compared {
		r := Ratio{Quantile: k.name, Verdict: Unknown, A: x.Histogram.Quantile(k.q).Seconds(), B: y.Histogram.Quantile(k.q).Seconds()}
		switch {
		case (1-k.q)*float64(min(x.Histogram.Count(), y.Histogram.Count())) < beyondQuantile:
			r.Reason = fmt.Sprintf("found %d and %d samples; accepted are at least %.0f", x.Count, y.Count, beyondQuantile/(1-k.q))
		case beyond(x, k.q) || beyond(y, k.q):
			r.Reason = "it lies among skipped operations"
		default:
			ratios := bootstrap(p, q, k.q, draws, schedule.Stream(seed, "gate.Compare."+name, i))
			r.Ratio = r.B / r.A
			r.Low, r.High = interval(ratios, level)
			low, high := interval(ratios, strict)
			r.Verdict = r.judge(low, high)
			if r.Verdict == Unknown {
				r.Reason = "too few samples for so small a difference"
			}
		}
		o.Quantiles = append(o.Quantiles, r)
		verdicts = append(verdicts, r.Verdict)
	}
	o.Verdict = overall(verdicts)
	return o
}

// judge decides on the strict interval; the ordinary one must agree for same.
func (r Ratio) judge(low, high float64) Change {
	within := r.Ratio <= 1+margin && r.Ratio >= 1/(1+margin)
	switch {
	case low > 1 && r.Ratio > 1+margin:
		return Slower
	case high < 1 && r.Ratio < 1/(1+margin):
		return Faster
	case low >= 1/(1+wide) && high <= 1+wide && (within || r.Low <= 1 && r.High >= 1):
		return Same
	}
	return Unknown
}

func perSecond(count int64, s *record.Snapshot) float64 {
	if seconds := s.MeasuredSeconds(); seconds > 0 {
		return float64(count) / seconds
	}
	return 0
}

// compareErrors is the difference of two proportions with its interval.
func compareErrors(x, y *record.OperationSnapshot, strict float64) Difference {
	badA, badB := float64(x.Errors+x.Skipped), float64(y.Errors+y.Skipped)
	nA, nB := float64(x.Count)+badA, float64(y.Count)+badB
	if nA == 0 || nB == 0 {
		return Difference{}
	}
	d := Difference{A: badA / nA, B: badB / nB}
	d.Difference = d.B - d.A
	d.Low, d.High = newcombe(d.A, nA, d.B, nB, level)
	low, _ := newcombe(d.A, nA, d.B, nB, strict)
	d.More = low > 0
	return d
}

func newcombe(a, nA, b, nB, level float64) (low, high float64) {
	lowA, highA := wilson(a, nA, level)
	lowB, highB := wilson(b, nB, level)
	return b - a - math.Hypot(b-lowB, highA-a), b - a + math.Hypot(highB-b, a-lowA)
}

// wilson is the score interval of a proportion.
func wilson(p, n, level float64) (low, high float64) {
	z := distuv.UnitNormal.Quantile(1 - (1-level)/2)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return middle - half, middle + half
}
