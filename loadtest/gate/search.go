package gate

import (
	"context"
	"fmt"
	"math"
)

// SearchOptions of Search. Factors multiply the load of the scenario.
type SearchOptions struct {
	Start float64 // first factor; zero: 1
	// Min and Max bound the search; zero: Start/64 and Start*64.
	Min, Max float64
	// Tolerance ends the search when the interval is narrower, relative to
	// the knee; zero: 0.1.
	Tolerance float64
	MaxRuns   int // zero: 40
}

// Knee is the result of a search.
type Knee struct {
	// Factor is the knee: there, half of the runs pass. Low and High are its
	// 95 % interval. Zero and Min when every run failed, Max when all passed.
	Factor  float64    `json:"factor"`
	Low     float64    `json:"low"`
	High    float64    `json:"high"`
	Highest float64    `json:"highest"` // highest factor that passed; zero: none
	Bounded Bound      `json:"bounded,omitempty"`
	Method  string     `json:"method"`
	Runs    []TrialRun `json:"runs"` // in order
}

// String says where the knee is, in a line.
func (k Knee) String() string {
	switch k.Bounded {
	case Above:
		return fmt.Sprintf("above %.3g times the load, the most that was tried, in %d runs", k.Highest, len(k.Runs))
	case Below:
		return fmt.Sprintf("below %.3g times the load, the least that was tried, in %d runs", k.High, len(k.Runs))
	}
	return fmt.Sprintf("%.3g times the load, 95 %% interval %.3g to %.3g; the highest of %d runs that passed was at %.3g",
		k.Factor, k.Low, k.High, len(k.Runs), k.Highest)
}

// Bound says that the knee lies outside of the range searched.
type Bound string

// Bounds.
const (
	Above Bound = "above" // even Max passes
	Below Bound = "below" // even Min fails
)

// TrialRun is one run of a search.
type TrialRun struct {
	Factor float64 `json:"factor"`
	Pass   bool    `json:"pass"`
}

const method = "load doubled until a gate broke, then runs at the 20, 50 and 80 % points of the knee's posterior in turn " +
	"(logistic psychometric function in the logarithm of the load, slope unknown, 1 % lapses); 95 % credible interval"

// Search raises the load until a run fails, then narrows the knee down. Runs
// near the knee pass or fail by chance, which plain bisection takes for truth;
// here all runs together fit a logistic curve of the share that passes over
// the logarithm of the factor, by Bayes on a grid of knees and slopes, and the
// next run is made where the knee may be (the method of QUEST, Watson and
// Pelli 1983, with unknown slope as in Kontsevich and Tyler 1999). It ends at
// the tolerance or after MaxRuns. An error of run, such as of an invalid run,
// ends the search: it is returned with what is known so far.
func Search(ctx context.Context, o SearchOptions, run func(ctx context.Context, factor float64) (pass bool, err error)) (Knee, error) {
	if err := o.complete(); err != nil {
		return Knee{}, err
	}
	s := &search{o: o, ctx: ctx, run: run, posterior: newPosterior(o), knee: Knee{Method: method, Runs: []TrialRun{}}}
	err := s.bracket()
	if err == nil && s.knee.Bounded == "" {
		err = s.narrow()
	}
	s.estimate()
	return s.knee, err
}

func (o *SearchOptions) complete() error {
	if o.Start == 0 {
		o.Start = 1
	}
	if o.Min == 0 {
		o.Min = o.Start / 64
	}
	if o.Max == 0 {
		o.Max = o.Start * 64
	}
	if o.Tolerance == 0 {
		o.Tolerance = .1
	}
	if o.MaxRuns == 0 {
		o.MaxRuns = 40
	}
	switch {
	case !(o.Min > 0 && o.Min <= o.Start && o.Start <= o.Max && o.Max <= 1e6*o.Min):
		return fmt.Errorf("search: found %g to %g from %g; accepted is 0 < min <= start <= max <= 1e6*min", o.Min, o.Max, o.Start)
	case !(o.Tolerance >= .02 && o.Tolerance <= 1):
		return fmt.Errorf("search.tolerance: found %g; accepted is 0.02 to 1", o.Tolerance)
	case o.MaxRuns < 3 || o.MaxRuns > 1000:
		return fmt.Errorf("search.maxRuns: found %d; accepted is 3 to 1000", o.MaxRuns)
	}
	return nil
}

type search struct {
	o         SearchOptions
	ctx       context.Context
	run       func(ctx context.Context, factor float64) (bool, error)
	posterior *posterior
	knee      Knee
}

// try runs once and learns from it.
func (s *search) try(factor float64) (bool, error) {
	if err := s.ctx.Err(); err != nil {
		return false, fmt.Errorf("search: after %d runs: %w", len(s.knee.Runs), err)
	}
	pass, err := s.run(s.ctx, factor)
	if err != nil {
		return false, fmt.Errorf("search: run %d at factor %.4g: %w", len(s.knee.Runs)+1, factor, err)
	}
	s.knee.Runs = append(s.knee.Runs, TrialRun{factor, pass})
	s.posterior.learn(factor, pass)
	if pass {
		s.knee.Highest = max(s.knee.Highest, factor)
	}
	return pass, nil
}

// bracket doubles the load until a run fails or, when the first one fails,
// halves it until one passes.
func (s *search) bracket() error {
	first, err := s.try(s.o.Start)
	if err != nil {
		return err
	}
	factor, step, end, bound := s.o.Start, 2., s.o.Max, Above
	if !first {
		step, end, bound = .5, s.o.Min, Below
	}
	for len(s.knee.Runs) < s.o.MaxRuns {
		if factor == end {
			s.knee.Bounded = bound
			return nil
		}
		factor = min(max(factor*step, s.o.Min), s.o.Max)
		pass, err := s.try(factor)
		if err != nil || pass != first {
			return err
		}
	}
	return nil
}

func (s *search) narrow() error {
	for i := 0; len(s.knee.Runs) < s.o.MaxRuns; i++ {
		low, middle, high := s.posterior.quantile(.025), s.posterior.quantile(.5), s.posterior.quantile(.975)
		if high-low <= s.o.Tolerance*middle {
			return nil
		}
		// Off the middle too: there runs tell how steep the curve is.
		if _, err := s.try(s.posterior.quantile([]float64{.5, .2, .8}[i%3])); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) estimate() {
	switch k := &s.knee; {
	case len(k.Runs) == 0:
	case k.Bounded == Above:
		k.Factor, k.Low, k.High = s.o.Max, s.o.Max, s.o.Max
	case k.Bounded == Below:
		k.Factor, k.Low, k.High = 0, 0, s.o.Min
	default:
		k.Factor, k.Low, k.High = s.posterior.quantile(.5), s.posterior.quantile(.025), s.posterior.quantile(.975)
	}
}

// posterior is the probability of each knee and slope given the runs so far.
// Its prior is flat in the logarithms of both, within the range searched.
type posterior struct {
	knees, slopes []float64   // in ln(factor)
	p             [][]float64 // by slope, by knee
}

const (
	lapse = .01 // share of runs whose outcome has nothing to do with the load
	// leastSlope is how steep a knee is at most taken for: with less, a few
	// lucky runs would look like certainty.
	leastSlope = .01
)

func newPosterior(o SearchOptions) *posterior {
	low, high := math.Log(o.Min), math.Log(o.Max)
	n := int(math.Ceil((high-low)/(o.Tolerance/16))) + 1
	d := &posterior{}
	for i := range n {
		d.knees = append(d.knees, low+(high-low)*float64(i)/float64(max(1, n-1)))
	}
	for slope := leastSlope; slope < .6; slope *= 1.7 {
		d.slopes = append(d.slopes, slope)
		p := make([]float64, n)
		for i := range p {
			p[i] = 1
		}
		d.p = append(d.p, p)
	}
	return d
}

func (d *posterior) learn(factor float64, pass bool) {
	x, sum := math.Log(factor), 0.0
	for j, slope := range d.slopes {
		for i, knee := range d.knees {
			if d.p[j][i] < 1e-12 {
				d.p[j][i] = 0
				continue
			}
			likelihood := lapse + (1-2*lapse)/(1+math.Exp((x-knee)/slope))
			if !pass {
				likelihood = 1 - likelihood
			}
			d.p[j][i] *= likelihood
			sum += d.p[j][i]
		}
	}
	for _, p := range d.p {
		for i := range p {
			p[i] /= sum
		}
	}
}

// quantile of the knee, as a factor, whatever the slope.
func (d *posterior) quantile(q float64) float64 {
	weights, total := make([]float64, len(d.knees)), 0.0
	for _, p := range d.p {
		for i, w := range p {
			weights[i] += w
			total += w
		}
	}
	sum := 0.0
	for i, w := range weights {
		if sum += w; sum >= q*total {
			return math.Exp(d.knees[i])
		}
	}
	return math.Exp(d.knees[len(d.knees)-1])
}
