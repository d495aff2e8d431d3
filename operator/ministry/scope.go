package ministry

import (
	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/conditions"
	"gouv.tg/messagerie/operator/ministry/specs"
)

// scope is what one pass over one ministry works on.
type scope struct {
	ministry *v1alpha1.Ministry
	platform *v1alpha1.Platform // nil: the ministry cannot be made as it is declared
	conds    conditions.Set
	input    specs.Input
	config   string      // text of cell.json
	keys     keys        // of the ministry's Secrets
	pod      *corev1.Pod // the cell's, when it serves as configured
	gone     bool        // the ministry's finalizer was taken off
}

func newScope(m *v1alpha1.Ministry) *scope {
	return &scope{
		ministry: m,
		conds:    conditions.Set{List: &m.Status.Conditions, Generation: m.Generation},
	}
}
