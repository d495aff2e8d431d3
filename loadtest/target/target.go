// Package target watches the side of a load test that is being tested: the resources and counters of every Pod, sampled
// during the run, in the time of the run.
//
// Pods tell them as Prometheus text at /metrics; a process without is read from /proc.
package target

import (
	"context"
	"log/slog"
	"time"
)

// Pod is one process of the target.
type Pod struct {
	Name    string
	Address string // host:port that serves /metrics over HTTP; empty: none
	PID     int    // of the process and its children, on this machine; 0: unknown. Read when there is no Address
}

// Options say what to sample.
type Options struct {
	// Pods lists the Pods of the moment. It is asked at the start, every 10 seconds and at the end.
	Pods     func(ctx context.Context) ([]Pod, error)
	Interval time.Duration // between samples; 0: 2 s
	Start    time.Time     // 0 of the run's time; it may lie ahead. Zero: when sampling starts
	Log      *slog.Logger  // nil: none
}

// Sampler samples until Stop.
type Sampler struct{ ready chan struct{} }

// Start begins to sample and returns at once. Sampling ends with Stop or with ctx.
func Start(ctx context.Context, o Options) *Sampler { return &Sampler{make(chan struct{})} }

// Ready is closed when every Pod has been read once, or could not be. Wait for it before the first operation: what the
// target counts before is not part of the comparison.
func (s *Sampler) Ready() <-chan struct{} { return s.ready }

// Stop takes the last samples (in at most 3 seconds), ends sampling and returns the report. Later calls return the same.
func (s *Sampler) Stop() Report { return Report{} }
