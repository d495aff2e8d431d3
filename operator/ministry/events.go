package ministry

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/accounts"
)

const (
	normal  = corev1.EventTypeNormal
	warning = corev1.EventTypeWarning

	// maxNote is what the API server takes.
	maxNote = 1024
)

// tell has people read what changed in this pass: a condition that only they can mend, and readiness.
func (r *Reconciler) tell(before, after *v1alpha1.Ministry) {
	for _, c := range after.Status.Conditions {
		old := meta.FindStatusCondition(before.Status.Conditions, c.Type)
		if old != nil && old.Status == c.Status && old.Reason == c.Reason && old.Message == c.Message {
			continue
		}
		switch {
		case c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue && (old == nil || old.Status != c.Status):
			r.event(after, nil, normal, c.Reason, "Serve", c.Message)
		case c.Type == v1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue:
			r.event(after, nil, warning, c.Reason, "Reconcile", c.Message)
		case c.Type == v1alpha1.ConditionPaused && old == nil:
			r.event(after, nil, normal, c.Reason, "Pause", c.Message)
		}
	}
}

// tellHolders has the ministries that keep their addresses know who else claims them.
func (r *Reconciler) tellHolders(claimant *v1alpha1.Ministry, older []*v1alpha1.Ministry, clashes []accounts.Clash) {
	for _, holder := range older {
		var addresses []string
		for _, c := range clashes {
			if c.Holder == holder.Name && len(addresses) < maxClashesListed {
				addresses = append(addresses, c.Address)
			}
		}
		if len(addresses) > 0 {
			r.event(holder, claimant, warning, v1alpha1.ReasonAddressClash, "Index", fmt.Sprintf(
				"Ministry %s claims addresses that Ministry %s holds and keeps: %s",
				claimant.Name, holder.Name, strings.Join(addresses, ", ")))
		}
	}
}

func (r *Reconciler) event(about *v1alpha1.Ministry, related *v1alpha1.Ministry, kind, reason, action, note string) {
	var other runtime.Object
	if related != nil {
		other = related
	}
	if len(note) > maxNote {
		note = note[:maxNote-3] + "..."
	}
	r.Recorder.Eventf(about, other, kind, reason, action, "%s", note)
}
