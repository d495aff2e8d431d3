// Package conditions keeps the conditions of the platform's kinds in the form that kstatus expects.
package conditions

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/api/v1alpha1"
)

// maxMessage keeps messages readable; the API server accepts 32 KiB.
const maxMessage = 4096

// Set is a list of conditions with the generation they are found at.
type Set struct {
	List       *[]metav1.Condition
	Generation int64
}

// True sets a condition.
func (s Set) True(kind, reason, message string) { s.set(kind, metav1.ConditionTrue, reason, message) }

// False sets a condition.
func (s Set) False(kind, reason, message string) { s.set(kind, metav1.ConditionFalse, reason, message) }

// Remove removes a condition.
func (s Set) Remove(kind string) { meta.RemoveStatusCondition(s.List, kind) }

// IsTrue says whether a condition is true.
func (s Set) IsTrue(kind string) bool { return meta.IsStatusConditionTrue(*s.List, kind) }

// Get is a condition, or nil.
func (s Set) Get(kind string) *metav1.Condition { return meta.FindStatusCondition(*s.List, kind) }

func (s Set) set(kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > maxMessage {
		message = message[:maxMessage-3] + "..."
	}
	meta.SetStatusCondition(s.List, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: s.Generation,
	})
}

// Summarise derives Ready, Reconciling and Stalled from the conditions in parts, in their order: the first that is not
// true gives its reason. stalled tells the reasons that only a person can remove.
func (s Set) Summarise(parts []string, message string, stalled func(reason string) bool) {
	for _, kind := range parts {
		c := s.Get(kind)
		switch {
		case c != nil && c.Status == metav1.ConditionTrue:
			continue
		case c == nil:
			s.Progress(v1alpha1.ReasonReconciling, kind+" is not known yet")
		case stalled(c.Reason):
			s.Stall(c.Reason, c.Message)
		default:
			s.Progress(c.Reason, c.Message)
		}
		return
	}
	s.Remove(v1alpha1.ConditionReconciling)
	s.Remove(v1alpha1.ConditionStalled)
	s.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, message)
}

// Progress says that the object is not ready and that the operator works on it.
func (s Set) Progress(reason, message string) {
	s.Remove(v1alpha1.ConditionStalled)
	s.False(v1alpha1.ConditionReady, reason, message)
	s.True(v1alpha1.ConditionReconciling, reason, message)
}

// Stall says that the object is not ready and that a person must act.
func (s Set) Stall(reason, message string) {
	s.Remove(v1alpha1.ConditionReconciling)
	s.False(v1alpha1.ConditionReady, reason, message)
	s.True(v1alpha1.ConditionStalled, reason, message)
}
