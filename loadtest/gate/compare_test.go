package gate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/record"
)

// lognormal has n latencies with the median of 20 ms times factor.
func lognormal(rng *rand.Rand, n int, factor float64) *record.Histogram {
	h := record.NewHistogram()
	for range n {
		h.Record(time.Duration(math.Exp(rng.NormFloat64()*.5) * factor * 2e7))
	}
	return h
}

// run has one operation with n latencies and some errors.
func run(seed uint64, n int, factor float64, errors int64) *record.Snapshot {
	h := lognormal(rand.New(rand.NewPCG(seed, 5)), n, factor)
	return &record.Snapshot{Start: start, WarmUpSeconds: 10, Seconds: 110, Lag: record.NewHistogram(), Operations: map[string]*record.OperationSnapshot{
		"imap.fetch": {Count: int64(n), Errors: errors, Histogram: h},
	}}
}

// The 95 % interval holds the true ratio in about 95 of 100 experiments.
func TestBootstrapCoverage(t *testing.T) {
	const experiments, samples = 400, 2000
	const truth = 1.1
	rng := rand.New(rand.NewPCG(1, 2))
	covered := map[string]int{}
	for range experiments {
		a, b := newDistribution(lognormal(rng, samples, 1)), newDistribution(lognormal(rng, samples*2, truth))
		for _, k := range compared {
			low, high := interval(bootstrap(a, b, k.q, 600, rng), level)
			if low <= truth && truth <= high {
				covered[k.name]++
			}
		}
	}
	for _, k := range compared {
		share := float64(covered[k.name]) / experiments
		t.Logf("%s: %.1f %% covered", k.name, 100*share)
		if share < .925 || share > .98 {
			t.Errorf("%s: the interval covers the truth in %.1f %% of experiments, want 95 %%", k.name, 100*share)
		}
	}
}

// The short cut by Beta draws what resampling all values draws.
func TestBootstrapIsResampling(t *testing.T) {
	const n, q = 500, .95
	rng := rand.New(rand.NewPCG(4, 4))
	d := newDistribution(lognormal(rng, n, 1))
	one := newDistribution(func() *record.Histogram { h := record.NewHistogram(); h.Record(time.Second); return h }())
	one.from[0], one.to[0] = 1, 1 // a point
	short := bootstrap(one, d, q, 4000, rng)
	slow := make([]float64, 4000)
	for i := range slow {
		values := make([]float64, n)
		for j := range values {
			values[j] = d.inverse(rng.Float64())
		}
		slow[i] = kth(values, int(math.Ceil(q*n)))
	}
	for _, tail := range []float64{.05, .5, .95} {
		a, b := kth(short, int(tail*4000)), kth(slow, int(tail*4000))
		if math.Abs(a/b-1) > .01 {
			t.Errorf("share %g: %g by the short cut, %g by resampling", tail, a, b)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name       string
		b          *record.Snapshot
		want       Change
		regression bool
	}{
		{"the run itself", run(1, 20000, 1, 5), Same, false},
		{"an equal run", run(2, 20000, 1, 5), Same, false},
		{"2 % slower, below the margin", run(2, 20000, 1.02, 5), Same, false},
		{"15 % slower", run(2, 20000, 1.15, 5), Slower, true},
		{"15 % faster", run(2, 20000, .87, 5), Faster, false},
		{"few samples", run(2, 100, 1, 0), Unknown, false},
		{"more errors", run(2, 20000, 1, 100), Same, true},
		{"fewer errors", run(2, 20000, 1, 0), Same, false},
		{"no samples: the operation is gone", run(2, 0, 1, 0), Unknown, true},
		{"another operation", &record.Snapshot{Seconds: 1, Operations: map[string]*record.OperationSnapshot{"imap.idle": {}}}, Unknown, true},
		{"nothing", &record.Snapshot{}, Unknown, true},
	} {
		got := Compare(run(1, 20000, 1, 5), c.b, 7)
		if got.Verdict != c.want || got.Regression != c.regression {
			t.Errorf("%s: %s, regression %t: %+v", c.name, got.Verdict, got.Regression, got.Operations)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	skipped := run(1, 20000, 1, 5)
	skipped.Operations["imap.fetch"].Skipped = 400
	if got := Compare(run(1, 20000, 1, 5), skipped, 7); got.Verdict != Unknown || !got.Regression {
		t.Errorf("2 %% skipped: %+v", got)
	}
}

// Equal runs are called different in less than 5 % of comparisons, all
// operations and quantiles together.
func TestEqualRunsAreTheSame(t *testing.T) {
	const comparisons = 40
	wrong, unknown := 0, 0
	for i := range uint64(comparisons) {
		switch got := Compare(run(2*i, 4000, 1, 10), run(2*i+1, 4000, 1, 10), i); {
		case got.Verdict == Slower || got.Verdict == Faster || got.Regression:
			wrong++
		case got.Verdict == Unknown:
			unknown++
		}
	}
	t.Logf("%d false, %d unknown of %d", wrong, unknown, comparisons)
	if wrong > 3 || unknown > comparisons/4 {
		t.Errorf("of %d comparisons of equal runs %d found a difference and %d could not tell", comparisons, wrong, unknown)
	}
}

func TestCompareIsDeterministic(t *testing.T) {
	a, b := run(1, 3000, 1, 5), run(2, 3000, 1.1, 5)
	one, _ := json.Marshal(Compare(a, b, 3))
	same, _ := json.Marshal(Compare(a, b, 3))
	other, _ := json.Marshal(Compare(a, b, 4))
	if string(one) != string(same) || string(one) == string(other) {
		t.Error("the seed does not decide the bootstrap")
	}
}

func TestNewcombe(t *testing.T) {
	// Newcombe 1998, table II, contrast (a): 56/70 against 48/80, method 10.
	low, high := newcombe(48./80, 80, 56./70, 70, .95)
	if math.Abs(low-.0524) > 1e-4 || math.Abs(high-.3339) > 1e-4 {
		t.Errorf("%.4f to %.4f, want 0.0524 to 0.3339", low, high)
	}
}

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	c := Compare(run(1, 20000, 1, 5), run(2, 20000, 1.15, 100), 7)
	if err := c.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"imap.fetch  p99", "slower", "more errors", "B against A: slower, regression"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
	t.Log("\n" + b.String())
}

// kth is the value of rank k from 1.
func kth(values []float64, k int) float64 {
	return slices.Sorted(slices.Values(values))[k-1]
}
