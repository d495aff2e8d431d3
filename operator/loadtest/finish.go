package loadtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/verdict"
)

const (
	maxSummary = 24
	maxGates   = 32
	// keepTime is how long it is tried to keep a report: one of an earlier test of that name may be about to go.
	keepTime = time.Minute
	// closeTime is how long workers get to end by themselves once the verdict is there.
	closeTime  = 2 * time.Minute
	closeCheck = time.Second
	askTime    = 10 * time.Second
)

// finish collects what was measured, judges it and keeps the report.
func (r *Reconciler) finish(ctx context.Context, s *scope, run *running) error {
	outcome := run.coordinator.Collect(ctx)
	run.report, run.judged = verdict.Reach(&s.scenario, outcome, run.seen(outcome.Start), verdict.Environment(r.Version, &s.scenario)), time.Now()
	return r.conclude(ctx, s, run)
}

// conclude keeps the report and writes the verdict. A report that cannot be kept holds the verdict up for some time only.
func (r *Reconciler) conclude(ctx context.Context, s *scope, run *running) error {
	if err := r.keepReport(ctx, s, run.report); err != nil {
		if time.Since(run.judged) < keepTime {
			return err
		}
		r.event(s.test, corev1.EventTypeWarning, v1alpha1.ReasonFailed, "Report", err.Error())
	}
	s.conclude(run.report)
	r.event(s.test, kindOf(run.report.Verdict), s.conds.Get(v1alpha1.ConditionFinished).Reason, "Judge", s.conds.Get(v1alpha1.ConditionReady).Message)
	s.after = closeCheck
	return nil
}

var verdicts = map[gate.Verdict]struct {
	verdict v1alpha1.LoadVerdict
	reason  string
}{
	gate.Pass:    {v1alpha1.LoadVerdictPass, v1alpha1.ReasonPassed},
	gate.Fail:    {v1alpha1.LoadVerdictFail, v1alpha1.ReasonGatesFailed},
	gate.Invalid: {v1alpha1.LoadVerdictInvalid, v1alpha1.ReasonRunInvalid},
	gate.Content: {v1alpha1.LoadVerdictContent, v1alpha1.ReasonContentErrors},
	gate.Aborted: {v1alpha1.LoadVerdictAborted, v1alpha1.ReasonAborted},
}

func kindOf(v gate.Verdict) string {
	if v == gate.Pass {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// conclude writes the verdict into the status. A test that did not pass is Stalled: nothing will change that.
func (s *scope) conclude(r *report.Report) {
	status := &s.test.Status
	v := verdicts[r.Verdict]
	now, code := metav1.Now(), int32(r.Verdict.ExitCode())
	status.Verdict, status.ExitCode, status.FinishedAt = v.verdict, &code, &now
	status.ObservedGeneration = s.test.Generation
	status.Summary, status.Gates = summary(r), nil
	for _, g := range r.Gates[:min(len(r.Gates), maxGates)] {
		result := v1alpha1.GatePassed
		if !g.Pass {
			result = v1alpha1.GateFailed
		}
		status.Gates = append(status.Gates, v1alpha1.GateStatus{Expression: cut(g.Expr, 200), Result: result, Value: g.Value, Reason: cut(g.Reason, 500)})
	}
	message := explain(r)
	s.conds.True(v1alpha1.ConditionFinished, v.reason, message)
	if r.Verdict != gate.Pass {
		s.conds.Stall(v.reason, message)
		return
	}
	s.conds.Remove(v1alpha1.ConditionReconciling)
	s.conds.Remove(v1alpha1.ConditionStalled)
	s.conds.True(v1alpha1.ConditionReady, v.reason, message)
}

// explain says in a line what the verdict rests on.
func explain(r *report.Report) string {
	switch r.Verdict {
	case gate.Pass:
		return fmt.Sprintf("%d gates passed", len(r.Gates))
	case gate.Content:
		return fmt.Sprintf("%d content errors", r.Content.Errors)
	case gate.Fail:
		var failed []string
		for _, g := range r.Gates {
			if !g.Pass {
				failed = append(failed, g.Expr+" ("+g.Reason+")")
			}
		}
		return fmt.Sprintf("%d of %d gates failed: %s", len(failed), len(r.Gates), strings.Join(failed, "; "))
	}
	return strings.Join(r.Reasons, "; ")
}

// summary has the operations with the most counts, by name.
func summary(r *report.Report) []v1alpha1.OperationSummary {
	var out []v1alpha1.OperationSummary
	for name, o := range r.Operations {
		out = append(out, v1alpha1.OperationSummary{
			Operation: cut(name, 64), Count: o.Count, Errors: o.Errors, Rate: o.Rate, P50: o.P50, P95: o.P95, P99: o.P99,
		})
	}
	byName := func(a, b v1alpha1.OperationSummary) int { return strings.Compare(a.Operation, b.Operation) }
	slices.SortFunc(out, func(a, b v1alpha1.OperationSummary) int {
		if d := b.Count + b.Errors - a.Count - a.Errors; d != 0 {
			return int(min(max(d, -1), 1))
		}
		return byName(a, b)
	})
	out = out[:min(len(out), maxSummary)]
	slices.SortFunc(out, byName)
	return out
}

func cut(text string, n int) string {
	if len(text) > n {
		return strings.ToValidUTF8(text[:n], "")
	}
	return text
}

// wrapUp has the workers of a test that was judged end, and removes the test when its time has come.
func (r *Reconciler) wrapUp(ctx context.Context, s *scope) error {
	s.scenario.Workers = int(s.test.Status.Workers.Total)
	closing, err := r.closeWorkers(ctx, s)
	if err != nil {
		return err
	}
	if closing {
		s.after = closeCheck
		return nil
	}
	r.forget(s.test.UID)
	if ttl := s.test.Spec.TTLSecondsAfterFinished; ttl != nil {
		s.after = time.Until(s.test.Status.FinishedAt.Add(time.Duration(*ttl) * time.Second))
		if s.after <= 0 {
			s.after = 0
			if err := r.Client.Delete(ctx, s.test, client.Preconditions{UID: &s.test.UID}); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("cannot remove LoadTest %s: %w", s.test.Name, err)
			}
		}
	}
	return nil
}

// closeWorkers tells the workers that run to end; true while some do.
func (r *Reconciler) closeWorkers(ctx context.Context, s *scope) (bool, error) {
	if err := r.findWorkers(ctx, s); err != nil || s.job == nil {
		return false, err
	}
	closing := false
	for i, pod := range s.pods {
		if !runs(pod) || pod.DeletionTimestamp != nil {
			continue
		}
		closing = true
		w, err := r.reach(s, i, "")
		if err != nil {
			return false, err
		}
		asking, cancel := context.WithTimeout(ctx, askTime)
		if err := w.Close(asking); err != nil {
			r.Log.Debug("a worker does not take the order to end", "pod", pod.Namespace+"/"+pod.Name, "error", err)
		}
		cancel()
		w.Disconnect()
	}
	if closing && time.Since(s.test.Status.FinishedAt.Time) > closeTime {
		return true, r.removeJob(ctx, s)
	}
	return closing, nil
}

// removeJob ends the workers that did not end by themselves.
func (r *Reconciler) removeJob(ctx context.Context, s *scope) error {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: s.test.Namespace, Name: s.test.Name}}
	err := r.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationForeground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot stop the workers: %w", err)
	}
	return nil
}
