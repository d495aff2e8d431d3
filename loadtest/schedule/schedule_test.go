package schedule

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const minute = time.Minute

// curves are the shapes every property is checked on.
var curves = map[string]Curve{
	"none":      nil,
	"constant":  {{0, 2}},
	"ramp up":   {{0, 0}, {minute, 1}},
	"ramp down": {{0, 3}, {5 * minute, 0}, {6 * minute, 0}, {7 * minute, 1}},
	"late ramp": {{2 * minute, .5}, {3 * minute, 2}},
	"spike":     {{3 * minute, 1}, {3 * minute, 20}, {3*minute + 30*time.Second, 20}, {3*minute + 30*time.Second, 1}},
	"day":       Diurnal(10 * minute),
	"pause":     {{0, 1}, {minute, 1}, {minute, 0}, {2 * minute, 0}, {2 * minute, 1}},
}

func all(a *Arrivals) (times []time.Duration) {
	for {
		at, ok := a.Next()
		if !ok {
			return times
		}
		times = append(times, at)
	}
}

// area integrates by small steps, independently of Integral.
func area(c Curve, from, to time.Duration) float64 {
	const n = 200_000
	h, sum := (to-from).Seconds()/n, 0.0
	for i := range n {
		sum += c.At(from+time.Duration((float64(i)+.5)*h*1e9)) * h
	}
	return sum
}

func TestIntegral(t *testing.T) {
	for name, c := range curves {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, to := range []time.Duration{-1, 0, 1, 17 * time.Second, minute, 3*minute + 7*time.Second, 3*minute + 30*time.Second, 20 * minute} {
			want := area(c, 0, max(0, to))
			if got := c.Integral(to); math.Abs(got-want) > 1e-3*math.Max(1, want) {
				t.Errorf("%s: integral to %v is %g, want %g", name, to, got, want)
			}
		}
	}
	// By hand: a spike of 20 for 30 s adds 19*30; a ramp from 0 to 1 halves.
	if got := curves["spike"].Integral(10 * minute); math.Abs(got-(600+19*30)) > 1e-9 {
		t.Errorf("spike: %g", got)
	}
	if got := curves["ramp up"].Integral(90 * time.Second); math.Abs(got-60) > 1e-9 {
		t.Errorf("ramp: %g", got)
	}
}

// randomCurve has steps, ramps, plateaus and pauses.
func randomCurve(rng *rand.Rand) Curve {
	var c Curve
	at := time.Duration(0)
	for range rng.IntN(8) {
		if rng.IntN(4) > 0 {
			at += time.Duration(rng.ExpFloat64() * 1e10)
		}
		factor := 0.0
		switch rng.IntN(4) {
		case 1:
			factor = 1
		case 2, 3:
			factor = math.Exp(rng.NormFloat64() * 3)
		}
		c = append(c, Point{at, factor})
	}
	return c
}

// Integral(invert(x)) is x, and time never runs backwards.
func TestInvert(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := randomCurve(rng)
		inv := cursor{curve: c}
		last, x := 0.0, 0.0
		for range 200 {
			x += rng.ExpFloat64() * .5
			at, ok := inv.invert(x)
			if !ok {
				if end := c[len(c)-1]; end.Factor != 0 || c.Integral(end.At) > x {
					t.Fatalf("%v: no time for area %g", c, x)
				}
				break
			}
			if at < last {
				t.Fatalf("%v: %g s after %g s", c, at, last)
			}
			last = at
			d := time.Duration(at * 1e9)
			// Offsets are whole nanoseconds: the factor bounds the error.
			if got, tolerance := c.Integral(d), 1e-9*(1+x)+2e-9*c.At(d)+2e-9*c.At(d-2); math.Abs(got-x) > tolerance {
				t.Fatalf("%v: integral to %v is %g, want %g", c, d, got, x)
			}
		}
	}
}

// Windows of every curve bring rate times area arrivals: exactly with even
// spacing, within four standard deviations for Poisson.
func TestRates(t *testing.T) {
	const rate = 50
	for name, c := range curves {
		for _, w := range [][2]time.Duration{{0, 10 * minute}, {0, 45 * time.Second}, {150 * time.Second, 220 * time.Second}, {minute, 2 * minute}} {
			want := rate * (c.Integral(w[1]) - c.Integral(w[0]))
			if got := float64(len(all(Constant(rate, c, 3, w[0], w[1])))); math.Abs(got-want) > 1 {
				t.Errorf("constant, %s, %v: %g arrivals, want %g", name, w, got, want)
			}
			times := all(Poisson(rate, c, 3, w[0], w[1]))
			if got := float64(len(times)); math.Abs(got-want) > 4*math.Sqrt(want) {
				t.Errorf("poisson, %s, %v: %g arrivals, want %g", name, w, got, want)
			}
			if !slices.IsSorted(times) || len(times) > 0 && (times[0] < w[0] || times[len(times)-1] >= w[1]) {
				t.Errorf("poisson, %s: arrivals out of order or out of %v", name, w)
			}
		}
	}
}

// A part of a longer schedule has the arrivals of its share of the time.
func TestShapeWithinOneSchedule(t *testing.T) {
	const rate = 200
	for name, c := range curves {
		for kind, a := range map[string]*Arrivals{"poisson": Poisson(rate, c, 5, 0, 8*minute), "constant": Constant(rate, c, 5, 0, 8*minute)} {
			times := all(a)
			for from := time.Duration(0); from < 8*minute; from += 20 * time.Second {
				lo, _ := slices.BinarySearch(times, from)
				hi, _ := slices.BinarySearch(times, from+20*time.Second)
				want := rate * (c.Integral(from+20*time.Second) - c.Integral(from))
				slack := 1.0
				if kind == "poisson" {
					slack = 4.5 * math.Sqrt(want+1)
				}
				if got := float64(hi - lo); math.Abs(got-want) > slack {
					t.Errorf("%s, %s: %g arrivals in 20 s from %v, want %g", kind, name, got, from, want)
				}
			}
		}
	}
}

// exponentialGaps is the Kolmogorov-Smirnov distance between the gaps in
// operational time and the exponential distribution, in units of the level at
// which 0.1 % of true samples would be refused.
func exponentialGaps(times []time.Duration, c Curve, rate float64) float64 {
	gaps := make([]float64, 0, len(times))
	last := 0.0
	for _, at := range times {
		now := rate * c.Integral(at)
		gaps = append(gaps, now-last)
		last = now
	}
	slices.Sort(gaps)
	n, worst := float64(len(gaps)), 0.0
	for i, g := range gaps {
		p := -math.Expm1(-g)
		worst = max(worst, math.Abs(p-float64(i)/n), math.Abs(p-float64(i+1)/n))
	}
	return worst * math.Sqrt(n) / 1.95
}

func TestExponentialGaps(t *testing.T) {
	for name, c := range curves {
		for seed := range uint64(3) {
			if d := exponentialGaps(all(Poisson(40, c, seed, 0, 10*minute)), c, 40); d > 1 {
				t.Errorf("%s, seed %d: gaps are not exponential (%.2f of the critical distance)", name, seed, d)
			}
		}
		if d := exponentialGaps(all(Constant(40, c, 1, 0, 10*minute)), c, 40); d < 2 {
			t.Errorf("%s: the test takes even gaps for exponential ones (%.2f)", name, d)
		}
	}
}

// Workers with a share of the rate and a seed each are one process together.
func TestThinning(t *testing.T) {
	const rate = 60.0
	for name, c := range curves {
		for _, workers := range []int{1, 3, 8} {
			var poisson, constant []time.Duration
			for w := range workers {
				poisson = append(poisson, all(Poisson(rate/float64(workers), c, uint64(100+w), 0, 10*minute))...)
				constant = append(constant, all(Constant(rate/float64(workers), c, uint64(100+w), 0, 10*minute))...)
			}
			want := rate * c.Integral(10*minute)
			if got := float64(len(poisson)); math.Abs(got-want) > 4*math.Sqrt(want) {
				t.Errorf("%s, %d workers: %g arrivals, want %g", name, workers, got, want)
			}
			if got := float64(len(constant)); math.Abs(got-want) > float64(workers) {
				t.Errorf("%s, %d even workers: %g arrivals, want %g", name, workers, got, want)
			}
			slices.Sort(poisson)
			if d := exponentialGaps(poisson, c, rate); d > 1 {
				t.Errorf("%s, %d workers: gaps of the sum are not exponential (%.2f)", name, workers, d)
			}
		}
	}
	// Successive seeds interleave: no gap of eight workers together is longer
	// than three times the mean.
	var times []time.Duration
	for w := range 8 {
		times = append(times, all(Constant(10, nil, uint64(w), 0, minute))...)
	}
	slices.Sort(times)
	for i := 1; i < len(times); i++ {
		if gap := times[i] - times[i-1]; gap > 3*time.Second/80 {
			t.Fatalf("a gap of %v among workers at 80/s together", gap)
		}
	}
}

func TestDeterminism(t *testing.T) {
	for name, make := range map[string]func(seed uint64) *Arrivals{
		"poisson":  func(seed uint64) *Arrivals { return Poisson(30, curves["day"], seed, 0, minute) },
		"constant": func(seed uint64) *Arrivals { return Constant(30, curves["day"], seed, 0, minute) },
	} {
		a, b, other := all(make(9)), all(make(9)), all(make(10))
		if !slices.Equal(a, b) {
			t.Errorf("%s: one seed, two schedules", name)
		}
		if slices.Equal(a, other) {
			t.Errorf("%s: two seeds, one schedule", name)
		}
	}
}

func TestEmptySchedules(t *testing.T) {
	pause := Curve{{0, 1}, {time.Second, 0}}
	for name, a := range map[string]*Arrivals{
		"rate 0": Poisson(0, nil, 1, 0, minute), "negative": Constant(-1, nil, 1, 0, minute), "NaN": Poisson(math.NaN(), nil, 1, 0, minute),
		"infinite": Poisson(math.Inf(1), nil, 1, 0, minute), "no time": Constant(10, nil, 1, minute, minute),
		"backwards": Poisson(10, nil, 1, minute, 0), "after the end of load": Poisson(10, pause, 1, 2*time.Second, time.Hour),
		"very rare": Poisson(1e-300, nil, 1, 0, math.MaxInt64),
	} {
		for range 3 {
			if at, ok := a.Next(); ok {
				t.Errorf("%s: an arrival at %v", name, at)
			}
		}
	}
	if n := len(all(Constant(10, nil, 1, -minute, time.Second))); n != 10 {
		t.Errorf("from before the start: %d arrivals in the first second, want 10", n)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []Curve{
		{{-1, 1}}, {{0, -1}}, {{0, math.NaN()}}, {{0, math.Inf(1)}}, {{0, 2 * MaxFactor}}, {{minute, 1}, {0, 1}}, make(Curve, MaxPoints+1),
	} {
		if c.Validate() == nil {
			t.Errorf("%.60v is accepted", c)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%.60v is scheduled", c)
				}
			}()
			Poisson(1, c, 1, 0, minute)
		}()
	}
}

func TestDiurnal(t *testing.T) {
	for _, total := range []time.Duration{24 * time.Hour, 10 * minute} {
		c := Diurnal(total)
		whole := c.Integral(total)
		if math.Abs(whole/total.Seconds()-1) > 1e-6 {
			t.Errorf("the day's mean factor is %g, want 1", whole/total.Seconds())
		}
		busiest := 0.0
		for m := range 24*60 - 60 {
			from := total * time.Duration(m) / (24 * 60)
			busiest = max(busiest, c.Integral(from+total/24)-c.Integral(from))
		}
		if share := busiest / whole; math.Abs(share-.103) > 1e-6 {
			t.Errorf("the busy hour has %.5f of the day, want 0.103", share)
		}
	}
}

func TestStream(t *testing.T) {
	seen := map[uint64]string{}
	for _, c := range []struct {
		seed  uint64
		name  string
		index int
	}{{1, "a", 0}, {2, "a", 0}, {1, "b", 0}, {1, "a", 1}, {1, "a", -1}, {1, "", 0}, {1, "aa", 0}, {0, "a", 1}} {
		first := Stream(c.seed, c.name, c.index).Uint64()
		if first != Stream(c.seed, c.name, c.index).Uint64() {
			t.Errorf("%+v gives different numbers", c)
		}
		if other, ok := seen[first]; ok {
			t.Errorf("%+v and %s give the same numbers", c, other)
		}
		seen[first] = c.name
	}
	// Across releases too: schedules are named by their seed in reports.
	if got := Stream(1, "a", 0).Uint64(); got != 0xb6034c3c1db6fa2f {
		t.Errorf("the stream has changed: %#x", got)
	}
	// Neighbouring streams are uncorrelated.
	const n = 20_000
	a, b, sum := Stream(1, "x", 0), Stream(1, "x", 1), 0.0
	for range n {
		sum += a.NormFloat64() * b.NormFloat64()
	}
	if math.Abs(sum/math.Sqrt(n)) > 4 {
		t.Errorf("correlation of neighbouring streams: %g standard deviations", sum/math.Sqrt(n))
	}
}

func BenchmarkNext(b *testing.B) {
	a := Poisson(5000, Diurnal(1000*24*time.Hour), 1, 0, 1000*24*time.Hour)
	for b.Loop() {
		if _, ok := a.Next(); !ok {
			b.Fatal("the schedule has ended")
		}
	}
}
