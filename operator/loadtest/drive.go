package loadtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/engine"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/target"
	"gouv.tg/messagerie/operator/loadtest/specs"
)

const (
	// soon is when to look again while the workers do a step that is short.
	soon = 500 * time.Millisecond
	// whileRunning is when to look again while there is load. Workers do without.
	whileRunning = 5 * time.Second
)

// running is what is kept in memory of a test that has started. All of it can be found again, but for the samples of the target.
type running struct {
	workers     []*worker // nil where none was reached yet
	coordinator *distribution.Coordinator
	sampler     *target.Sampler // nil: the target is not this platform
	sampling    time.Time       // since when
	report      *report.Report  // once it was judged
	judged      time.Time
}

// recall is what is in memory of a test, nothing at first.
func (r *Reconciler) recall(s *scope) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.running[s.test.UID]
	if run == nil {
		run = &running{workers: make([]*worker, s.scenario.Workers)}
		r.running[s.test.UID] = run
	}
	return run
}

// forget drops it.
func (r *Reconciler) forget(uid types.UID) {
	r.mu.Lock()
	run := r.running[uid]
	delete(r.running, uid)
	r.mu.Unlock()
	if run == nil {
		return
	}
	if run.sampler != nil {
		run.sampler.Stop()
	}
	for _, w := range run.workers {
		if w != nil {
			w.Disconnect()
		}
	}
}

// drive has the workers do what is next, and judges the test when they are done.
func (r *Reconciler) drive(ctx context.Context, s *scope) error {
	run := r.recall(s)
	if run.report != nil {
		return r.conclude(ctx, s, run)
	}
	if run.coordinator == nil {
		missing, err := r.assemble(ctx, s, run)
		if err != nil {
			return err
		}
		if missing != "" {
			s.conds.False(v1alpha1.ConditionWorkersReady, v1alpha1.ReasonWorkersStarting, missing)
			s.wait(v1alpha1.ReasonWorkersStarting, missing)
			s.after = soon
			return nil
		}
		r.sample(ctx, s, run)
	}
	if !run.seesTarget() {
		s.after = soon
		return nil
	}
	for i := range s.pods {
		if why := ended(s.pods[i], s.job); why != "" {
			run.workers[i].end(why)
		}
	}
	view := run.coordinator.Step(ctx, false)
	s.describe(view)
	if view.Ended() {
		return r.finish(ctx, s, run)
	}
	s.after = soon
	if left := time.Until(view.At.Add(s.planned())); view.Phase == distribution.Running && left > soon {
		s.after = min(left, whileRunning)
	}
	return nil
}

// assemble reaches the workers. Until all of them run it says what is missing, and keeps those that do from giving up.
func (r *Reconciler) assemble(ctx context.Context, s *scope, run *running) (missing string, err error) {
	late := time.Since(s.test.Status.StartedAt.Time) > specs.StartTime
	ready := 0
	for i := range s.pods {
		why := ended(s.pods[i], s.job)
		if s.job == nil && s.test.Status.LoadStartedAt == nil {
			why = "" // it was asked for a moment ago
		}
		if why == "" && !runs(s.pods[i]) {
			why = waiting(s.pods[i])
			if !late {
				missing = fmt.Sprintf("worker-%d: %s", i, strings.TrimSpace(why))
				continue
			}
			why = fmt.Sprintf("it did not run within %s: %s", specs.StartTime, why)
		}
		if run.workers[i] == nil {
			if run.workers[i], err = r.reach(s, i, why); err != nil {
				return "", err
			}
		}
		ready++
	}
	s.test.Status.Workers = v1alpha1.ReplicaCount{Ready: int32(ready), Total: int32(len(s.pods))}
	if missing == "" {
		var workers []distribution.Worker
		for _, w := range run.workers {
			workers = append(workers, w)
		}
		run.coordinator = distribution.NewCoordinator(workers, string(s.test.UID), r.inputs(s), r.Log.With("loadtest", s.test.Namespace+"/"+s.test.Name))
		return "", nil
	}
	for _, w := range run.workers {
		if w != nil {
			// An answer is not needed: it is being asked that keeps it.
			_, _ = w.State(ctx, false)
		}
	}
	return missing, nil
}

// inputs makes what each worker needs to know. The accounts are not in it: workers read them themselves.
func (r *Reconciler) inputs(s *scope) func(i int) (distribution.Input, error) {
	in := engine.Input{Scenario: s.scenario, Workers: s.scenario.Workers, RunID: string(s.test.UID), CA: r.Authority.CertificatePEM()}
	if t := s.test.Spec.Target; t != nil {
		if t.CertificateAuthority != "" {
			in.CA = []byte(t.CertificateAuthority)
		}
		in.Insecure = t.Verification == v1alpha1.LoadInsecure
	}
	return func(i int) (distribution.Input, error) {
		in := in
		in.Worker = i
		return in, nil
	}
}

// describe writes where the workers stand into the status.
func (s *scope) describe(v distribution.View) {
	status := &s.test.Status
	status.Workers = v1alpha1.ReplicaCount{Total: int32(len(v.Workers))}
	for _, w := range v.Workers {
		switch w.Phase {
		case distribution.Prepared, distribution.Running, distribution.Done:
			status.Workers.Ready++
		}
	}
	count := fmt.Sprintf("%d of %d workers are prepared", status.Workers.Ready, status.Workers.Total)
	if !v.At.IsZero() && status.LoadStartedAt == nil {
		at := metav1.NewTime(v.At)
		status.LoadStartedAt = &at
	}
	if v.At.IsZero() {
		s.conds.False(v1alpha1.ConditionWorkersReady, v1alpha1.ReasonPreparing, count)
		s.wait(v1alpha1.ReasonPreparing, count)
		return
	}
	s.conds.True(v1alpha1.ConditionWorkersReady, v1alpha1.ReasonReady, count)
	s.wait(v1alpha1.ReasonRunning, "there is load until "+v.At.Add(s.scenario.Total()).UTC().Format(time.RFC3339))
}
