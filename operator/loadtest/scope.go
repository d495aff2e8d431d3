package loadtest

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/operator/conditions"
)

// scope is what one pass over one load test works on.
type scope struct {
	test     *v1alpha1.LoadTest
	platform *v1alpha1.Platform // nil: there is none
	conds    conditions.Set
	scenario scenario.Scenario
	job      *batchv1.Job  // nil: there is none
	pods     []*corev1.Pod // by worker; nil where there is none
	after    time.Duration // when to come back; 0: when something changes
	gone     bool          // the finalizer was taken off
}

func newScope(lt *v1alpha1.LoadTest) *scope {
	return &scope{test: lt, conds: conditions.Set{List: &lt.Status.Conditions, Generation: lt.Generation}}
}

func (s *scope) started() bool { return s.test.Status.StartedAt != nil }

func (s *scope) finished() bool { return s.test.Status.Verdict != "" }

// planned is how long the load lasts, with what comes before and after it.
func (s *scope) planned() time.Duration { return s.scenario.Total() + s.scenario.Settle() }
