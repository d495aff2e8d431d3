package engine

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/users"
)

// Generator is what the load cost to make, and whether it was made in time. Times in seconds.
type Generator struct {
	LagP50        float64 `json:"lagP50"`
	LagP99        float64 `json:"lagP99"`
	LagMax        float64 `json:"lagMax"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"` // at most
	// ResidentBytesPerHour is the slope of a straight line through the memory of every second in the latter half of the time measured:
	// what is bounded fills before.
	ResidentBytesPerHour float64 `json:"residentBytesPerHour"`
	MaxInFlight          int64   `json:"maxInFlight"`
	MaxSessions          int64   `json:"maxSessions"`
	// What users did in one go after the warm-up: how often, and for how long in all.
	Activities      int64   `json:"activities"`
	ActivitySeconds float64 `json:"activitySeconds"`
}

// judge reports why a result does not count: a generator that lags measures itself.
func judge(result *Result, s *scenario.Scenario) []string {
	var reasons []string
	if limit := s.LagLimit().Seconds(); result.Generator.LagP99 > limit {
		reasons = append(reasons, fmt.Sprintf("generator lag: found %.3f s at the 99th percentile; accepted is at most %.3f s", result.Generator.LagP99, limit))
	}
	if result.Snapshot.Total().Count == 0 && !result.Aborted {
		reasons = append(reasons, "operations: found none that succeeded after the warm-up; accepted is at least one")
	}
	for _, name := range slices.Sorted(maps.Keys(result.Snapshot.Operations)) {
		if n := result.Snapshot.Operations[name].Classes[users.Exhausted]; n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s: %s: found %d times; accepted is never", name, users.Exhausted, n))
		}
	}
	return reasons
}

// usage follows the resources of this process.
type usage struct {
	from, to time.Time // the trend's

	cpu  time.Duration
	done chan struct{}
	over sync.Once

	mu       sync.Mutex
	resident int64
	trend    trend
}

// startUsage begins at once; the trend of memory is that between two moments.
func startUsage(from, to time.Time) *usage {
	u := &usage{from: from, to: to, cpu: cpuTime(), done: make(chan struct{}), resident: residentBytes()}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				u.look(now)
			case <-u.done:
				return
			}
		}
	}()
	return u
}

func (u *usage) look(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	resident := residentBytes()
	u.resident = max(u.resident, resident)
	if now.After(u.from) && now.Before(u.to) {
		u.trend.add(now.Sub(u.from).Hours(), float64(resident))
	}
}

// trend is a straight line through points by least squares, in constant memory (Welford's means).
type trend struct{ n, x, y, xx, xy float64 }

func (t *trend) add(x, y float64) {
	t.n++
	dx := x - t.x
	t.x += dx / t.n
	t.y += (y - t.y) / t.n
	t.xx += dx * (x - t.x)
	t.xy += dx * (y - t.y)
}

// slope is 0 while there are too few points to tell.
func (t *trend) slope() float64 {
	if t.n < 30 {
		return 0
	}
	return t.xy / t.xx
}

func (u *usage) stop() { u.over.Do(func() { close(u.done) }) }

func (u *usage) generator(snapshot *record.Snapshot, flight, sessions int64) Generator {
	u.stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	g := Generator{CPUSeconds: (cpuTime() - u.cpu).Seconds(), ResidentBytes: u.resident,
		ResidentBytesPerHour: u.trend.slope(), MaxInFlight: flight, MaxSessions: sessions}
	if snapshot.Lag != nil && snapshot.Lag.Count() > 0 {
		g.LagP50, g.LagP99 = snapshot.Lag.Quantile(0.5).Seconds(), snapshot.Lag.Quantile(0.99).Seconds()
		g.LagMax = snapshot.Lag.Max().Seconds()
	}
	return g
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// residentBytes is the resident set size, 0 where /proc does not tell.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Fscan(bytes.NewReader(text), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
