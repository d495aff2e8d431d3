package probes

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Before its first success a probe is repeated much more often than its period says, so that a Pod is ready within a
// tenth of a second of serving. Failures still count once a period only: thresholds keep their meaning. A container
// that has not made it after a minute is asked at its period.
const (
	fastInterval = 100 * time.Millisecond
	fastPhase    = time.Minute
)

// Kind is a kind of probe, as it appears in events.
type Kind string

// The kinds of probes.
const (
	Startup   Kind = "Startup"
	Readiness Kind = "Readiness"
	Liveness  Kind = "Liveness"
)

// State is what is known of a container when its probes begin: an adopted one may have started long ago.
type State struct {
	Started, Ready bool
}

// Callbacks report what the probes find. They are called from several goroutines.
type Callbacks struct {
	// Started is called once, when the startup probe has passed or there is none.
	Started func()
	// Ready is called when readiness changes.
	Ready func(bool)
	// Failed is called at every failure that counts.
	Failed func(kind Kind, err error)
	// Kill is called once when the container must be restarted, with the probe's own grace period if it has one.
	Kill func(kind Kind, graceSeconds *int64)
}

// Run asks a container until ctx is done.
func Run(ctx context.Context, t Target, state State, call Callbacks) {
	c := t.Container
	if !state.Started {
		if p := c.StartupProbe; p != nil && !untilStarted(ctx, p, t, call) {
			return
		}
		if ctx.Err() != nil {
			return
		}
		call.Started()
	}
	var wg sync.WaitGroup
	if p := c.LivenessProbe; p != nil {
		wg.Go(func() { watchLiveness(ctx, p, t, call) })
	}
	if p := c.ReadinessProbe; p != nil {
		wg.Go(func() { watchReadiness(ctx, p, t, state.Ready, call) })
	} else if !state.Ready {
		call.Ready(true)
	}
	wg.Wait()
}

// untilStarted returns true once the startup probe has passed.
func untilStarted(ctx context.Context, p *corev1.Probe, t Target, call Callbacks) bool {
	s := newSeries(p, true)
	for s.next(ctx) {
		err := Check(ctx, p, t)
		if ctx.Err() != nil {
			return false
		}
		if counted := s.add(err == nil); counted && err != nil {
			call.Failed(Startup, err)
		}
		if s.successes >= max(p.SuccessThreshold, 1) {
			return true
		}
		if s.failures >= threshold(p) {
			call.Kill(Startup, p.TerminationGracePeriodSeconds)
			return false
		}
	}
	return false
}

func watchLiveness(ctx context.Context, p *corev1.Probe, t Target, call Callbacks) {
	s := newSeries(p, false)
	for s.next(ctx) {
		err := Check(ctx, p, t)
		if ctx.Err() != nil {
			return
		}
		s.add(err == nil)
		if err != nil {
			call.Failed(Liveness, err)
		}
		if s.failures >= threshold(p) {
			call.Kill(Liveness, p.TerminationGracePeriodSeconds)
			return
		}
	}
}

func watchReadiness(ctx context.Context, p *corev1.Probe, t Target, ready bool, call Callbacks) {
	s := newSeries(p, !ready)
	for s.next(ctx) {
		err := Check(ctx, p, t)
		if ctx.Err() != nil {
			return
		}
		if counted := s.add(err == nil); counted && err != nil {
			call.Failed(Readiness, err)
		}
		if !ready && s.successes >= max(p.SuccessThreshold, 1) {
			ready = true
			call.Ready(true)
		}
		if ready && s.failures >= threshold(p) {
			ready = false
			call.Ready(false)
		}
	}
}

func threshold(p *corev1.Probe) int32 {
	if p.FailureThreshold <= 0 {
		return 3
	}
	return p.FailureThreshold
}

// series paces one probe and counts its results.
type series struct {
	period              time.Duration
	delay               time.Duration // before the next attempt
	fastUntil           time.Time     // zero: never fast
	fast                bool
	lastFailure         time.Time
	successes, failures int32
}

func newSeries(p *corev1.Probe, fast bool) *series {
	period := time.Duration(p.PeriodSeconds) * time.Second
	if period <= 0 {
		period = 10 * time.Second
	}
	delay := time.Duration(p.InitialDelaySeconds) * time.Second
	return &series{period: period, delay: delay, fast: fast, fastUntil: time.Now().Add(delay + fastPhase)}
}

// next waits for the next attempt; false: ctx is done.
func (s *series) next(ctx context.Context) bool {
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// add counts a result and chooses the pause to the next one. It says whether the result counted.
func (s *series) add(success bool) (counted bool) {
	now := time.Now()
	if success {
		s.fast = false
		s.successes++
		s.failures = 0
		s.delay = s.period
		return true
	}
	s.successes = 0
	s.delay = s.period
	if s.fast && now.Before(s.fastUntil) {
		s.delay = min(fastInterval, s.period)
		if now.Sub(s.lastFailure) < s.period {
			return false
		}
	}
	s.lastFailure = now
	s.failures++
	return true
}
