package conditions

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/api/v1alpha1"
)

func TestSummarise(t *testing.T) {
	stalled := func(reason string) bool { return reason == "Broken" }
	for _, c := range []struct {
		name     string
		a, b     string // reason when false; "": true; "-": unknown
		want     metav1.ConditionStatus
		reason   string
		abnormal string // the one of Reconciling and Stalled that is there
	}{
		{"all true", "", "", metav1.ConditionTrue, v1alpha1.ReasonReady, ""},
		{"first unknown", "-", "", metav1.ConditionFalse, v1alpha1.ReasonReconciling, v1alpha1.ConditionReconciling},
		{"second waits", "", "Starting", metav1.ConditionFalse, "Starting", v1alpha1.ConditionReconciling},
		{"first decides", "Broken", "Starting", metav1.ConditionFalse, "Broken", v1alpha1.ConditionStalled},
	} {
		// Whatever stood there before must not show through.
		list := []metav1.Condition{
			{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue},
		}
		s := Set{&list, 7}
		for kind, reason := range map[string]string{"A": c.a, "B": c.b} {
			switch reason {
			case "":
				s.True(kind, "Fine", "")
			case "-":
			default:
				s.False(kind, reason, "because")
			}
		}
		s.Summarise([]string{"A", "B"}, "works", stalled)
		ready := s.Get(v1alpha1.ConditionReady)
		if ready == nil || ready.Status != c.want || ready.Reason != c.reason || ready.ObservedGeneration != 7 {
			t.Errorf("%s: Ready = %+v", c.name, ready)
		}
		for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
			if there := s.Get(kind) != nil; there != (kind == c.abnormal) {
				t.Errorf("%s: %s: %t", c.name, kind, there)
			}
		}
	}
}

func TestMessageIsBounded(t *testing.T) {
	var list []metav1.Condition
	s := Set{&list, 1}
	s.False("A", "Reason", strings.Repeat("x", 100_000))
	if n := len(s.Get("A").Message); n > maxMessage {
		t.Errorf("message of %d characters", n)
	}
}
