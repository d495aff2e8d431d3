package gate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// system passes below its knee: surely when steep, by chance near it.
func system(rng *rand.Rand, knee, slope, lapses float64) func(context.Context, float64) (bool, error) {
	return func(_ context.Context, factor float64) (bool, error) {
		if rng.Float64() < lapses {
			return rng.IntN(2) == 0, nil
		}
		return rng.Float64() < 1/(1+math.Exp(math.Log(factor/knee)/slope)), nil
	}
}

// The interval covers the known knee in about 95 of 100 searches, whatever the
// noise.
func TestSearchCoverage(t *testing.T) {
	const searches = 120
	for _, c := range []struct {
		name          string
		slope, lapses float64
		tolerance     float64
	}{{"steep", .001, 0, .1}, {"noisy", .05, 0, .1}, {"very noisy", .15, 0, .2}, {"lapses", .03, .02, .1}} {
		covered, runs, width := 0, 0, 0.0
		for seed := range uint64(searches) {
			rng := rand.New(rand.NewPCG(seed, 3))
			knee := math.Exp(rng.NormFloat64())
			k, err := Search(context.Background(), SearchOptions{Tolerance: c.tolerance}, system(rng, knee, c.slope, c.lapses))
			if err != nil {
				t.Fatal(err)
			}
			if k.Low <= knee && knee <= k.High {
				covered++
			}
			if len(k.Runs) < 40 && k.High-k.Low > c.tolerance*k.Factor {
				t.Errorf("%s: ended after %d runs with %g to %g", c.name, len(k.Runs), k.Low, k.High)
			}
			if k.Bounded != "" || k.Low > k.Factor || k.Factor > k.High || len(k.Runs) > 40 {
				t.Errorf("%s: %+v", c.name, k)
			}
			runs += len(k.Runs)
			width += (k.High - k.Low) / k.Factor
		}
		t.Logf("%s: %d %% covered, %.1f runs, width %.3f", c.name, covered*100/searches, float64(runs)/searches, width/searches)
		if covered < 88*searches/100 {
			t.Errorf("%s: the interval covers the knee in %d of %d searches", c.name, covered, searches)
		}
	}
}

func TestSearchBounds(t *testing.T) {
	for _, c := range []struct {
		knee    float64
		bounded Bound
		highest float64
		runs    int
	}{{100, Above, 8, 4}, {.1, Below, 0, 3}, {3, "", 3, 40}} {
		k, err := Search(context.Background(), SearchOptions{Min: .3, Max: 8}, func(_ context.Context, factor float64) (bool, error) {
			return factor < c.knee, nil
		})
		if err != nil || k.Bounded != c.bounded || len(k.Runs) > c.runs || math.Abs(k.Highest-c.highest) > .3 {
			t.Errorf("knee at %g: %+v, %v", c.knee, k, err)
		}
		for _, r := range k.Runs {
			if r.Factor < .3 || r.Factor > 8 {
				t.Errorf("a run at %g, out of bounds", r.Factor)
			}
		}
	}
}

func TestSearchEnds(t *testing.T) {
	// At the bound of runs, whatever is known.
	coin := rand.New(rand.NewPCG(1, 1))
	k, err := Search(context.Background(), SearchOptions{MaxRuns: 7, Tolerance: .02}, func(context.Context, float64) (bool, error) { return coin.IntN(2) == 0, nil })
	if err != nil || len(k.Runs) != 7 || k.High < k.Low {
		t.Errorf("%+v, %v", k, err)
	}
	// At an invalid run, which is neither a pass nor a failure.
	invalid := errors.New("the generator lagged")
	k, err = Search(context.Background(), SearchOptions{}, func(_ context.Context, factor float64) (bool, error) {
		if factor > 3 {
			return false, invalid
		}
		return true, nil
	})
	if !errors.Is(err, invalid) || len(k.Runs) != 2 || k.Highest != 2 {
		t.Errorf("%+v, %v", k, err)
	}
	// When cancelled.
	ctx, cancel := context.WithCancel(context.Background())
	k, err = Search(ctx, SearchOptions{}, func(context.Context, float64) (bool, error) { cancel(); return true, nil })
	if !errors.Is(err, context.Canceled) || len(k.Runs) != 1 {
		t.Errorf("%+v, %v", k, err)
	}
	for _, o := range []SearchOptions{{Start: -1}, {Start: 1, Min: 2}, {Max: .5}, {Min: 1e-9}, {Tolerance: 2}, {MaxRuns: 1}, {Start: math.NaN()}, {MaxRuns: 1e6}} {
		if _, err := Search(context.Background(), o, nil); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
