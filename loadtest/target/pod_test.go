package target

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// fakeProcess is a process with one counter.
type fakeProcess struct {
	started float64
	cpu     float64
	counted map[string]float64
}

func (f *fakeProcess) reading(at time.Time) reading {
	r := newReading(at)
	r.started, r.rates[cpu] = f.started, f.cpu
	for key, v := range f.counted {
		r.counters = append(r.counters, counted{key, v})
	}
	return r
}

// TestIncreaseOverRestarts lets a process count at random, appear late, restart, and count under new names: what was counted
// between two samples of one process is found again, exactly.
func TestIncreaseOverRestarts(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		l, n := timeline{begin: testBegin, width: time.Second}, names{index: map[string]int{}}
		begin := float64(testBegin.Unix())
		p, f := &pod{}, &fakeProcess{started: begin - 1000, cpu: 100, counted: map[string]float64{"old": 1000}}
		truth, cpuTruth, restarts := map[string]float64{}, 0.0, 0
		late := seed%2 == 0
		if late { // begun while others were sampled: all that it counts is of the run
			f.started, f.cpu, f.counted, truth["old"] = begin+1, 0, map[string]float64{"old": 5}, 5
		}
		now := testBegin.Add(2 * time.Second)
		l.reach(now)
		p.take(&l, &n, f.reading(now), testBegin)
		for range 200 {
			now = now.Add(time.Second)
			if rng.IntN(20) == 0 {
				restarts++
				f = &fakeProcess{started: f.started + 1 + rng.Float64(), counted: map[string]float64{}}
			}
			for range rng.IntN(4) {
				key := []string{"old", "new", "newer"}[rng.IntN(3)]
				f.counted[key]++
				truth[key]++
			}
			grew := rng.Float64()
			f.cpu += grew
			cpuTruth += grew
			l.reach(now)
			p.take(&l, &n, f.reading(now), testBegin)
		}
		if p.restarts != restarts {
			t.Errorf("%d restarts seen, want %d", p.restarts, restarts)
		}
		for key, want := range truth {
			i, _ := n.of(key)
			c := p.counters[i]
			if c.grown != want {
				t.Errorf("%s grew by %v, found %v", key, want, c.grown)
			}
			if wantFirst := map[bool]float64{true: 1000}[key == "old" && !late]; c.first != wantFirst {
				t.Errorf("%s began at %v, found %v", key, wantFirst, c.first)
			}
		}
		sum := 0.0
		for _, v := range p.amount[cpu] {
			sum += v
		}
		if math.Abs(sum-cpuTruth) > 1e-6 {
			t.Errorf("used %v s, found %v", cpuTruth, sum)
		}
	}
}

func TestRestartWithoutAStartTime(t *testing.T) {
	l, n := timeline{begin: testBegin, width: time.Second}, names{index: map[string]int{}}
	p := &pod{}
	for i, v := range []float64{10, 12, 3, 4} {
		now := testBegin.Add(time.Duration(i) * time.Second)
		l.reach(now)
		p.take(&l, &n, (&fakeProcess{cpu: v, counted: map[string]float64{"x": 10 * v}}).reading(now), testBegin)
	}
	if p.restarts != 1 || p.counters[0] != (count{first: 100, last: 40, grown: 20 + 30 + 10}) {
		t.Errorf("%d restarts, %+v", p.restarts, p.counters[0])
	}
}

func TestCountersAreBounded(t *testing.T) {
	l, n := timeline{begin: testBegin, width: time.Second}, names{index: map[string]int{}}
	p, f := &pod{}, &fakeProcess{counted: map[string]float64{}}
	for i := range 2 * maxCounters {
		f.counted[fmt.Sprint(i)] = 1
	}
	p.take(&l, &n, f.reading(testBegin), testBegin)
	if len(n.keys) != maxCounters || len(p.counters) != maxCounters {
		t.Errorf("%d names, %d counters", len(n.keys), len(p.counters))
	}
}
