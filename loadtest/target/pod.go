package target

import (
	"math"
	"time"
)

// maxCounters bounds the counters of all Pods together.
const maxCounters = 1024

// names numbers the counters of all Pods.
type names struct {
	index map[string]int
	keys  []string
}

func (n *names) of(key string) (int, bool) {
	i, ok := n.index[key]
	if !ok {
		if len(n.keys) == maxCounters {
			return 0, false
		}
		i = len(n.keys)
		n.keys = append(n.keys, key)
		n.index[key] = i
	}
	return i, true
}

// pod is what is known of one Pod.
type pod struct {
	name string
	columns
	last     reading // at is zero before the first
	counters []count // by number
	restarts int
	failures int
	samples  int
	problem  error // the last failure
}

// count is one counter of one Pod over the time of sampling.
type count struct{ first, last, grown float64 }

// take takes in a reading. begin is when sampling began.
func (p *pod) take(l *timeline, n *names, r reading, begin time.Time) {
	p.samples++
	// What the first reading tells happened before, unless the process is younger than the sampling.
	young := r.started > float64(begin.UnixMilli())/1000
	first := p.last.at.IsZero()
	if !first && p.restarted(&r) {
		p.restarts++
		for i := range p.last.rates {
			p.last.rates[i] = 0
		}
		for i := range p.counters {
			p.counters[i].last = 0
		}
	}
	for i := range r.rates {
		v, before := r.rates[i], p.last.rates[i]
		if first || math.IsNaN(v) || math.IsNaN(before) {
			continue
		}
		p.grow(l, i, p.last.at, r.at, increase(before, v))
	}
	for i, v := range r.gauges {
		if !math.IsNaN(v) {
			p.show(l, i, r.at, v)
		}
	}
	for _, c := range r.counters {
		i, ok := n.of(c.key)
		if !ok {
			continue
		}
		for len(p.counters) <= i {
			p.counters = append(p.counters, count{})
		}
		t := &p.counters[i] // zero when the process did not tell of it before: then nothing had been counted
		if first && !young {
			t.first, t.last = c.value, c.value
		}
		t.grown += increase(t.last, c.value)
		t.last = c.value
	}
	r.counters = nil
	p.last = r
}

// increase is what a counter grew by: one that has fallen began again at 0 (as Prometheus' increase has it).
func increase(before, after float64) float64 {
	if after < before {
		return after
	}
	return after - before
}

// restarted tells a reading of another process than the last one.
func (p *pod) restarted(r *reading) bool {
	if r.started != 0 && p.last.started != 0 {
		return r.started != p.last.started
	}
	return r.rates[cpu] < p.last.rates[cpu]
}
