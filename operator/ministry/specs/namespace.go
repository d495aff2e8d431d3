package specs

import (
	"maps"
	"strconv"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/restricted"
)

// Namespace holds the ministry's cell, volume and keys. It carries the cell's user id, which stays with the data.
func (in Input) Namespace() *corev1ac.NamespaceApplyConfiguration {
	labels := in.labels()
	delete(labels, naming.LabelName)
	maps.Copy(labels, restricted.NamespaceLabels())
	if wave := in.Ministry.Spec.Wave; wave > 0 {
		labels[naming.LabelWave] = strconv.Itoa(int(wave))
	}
	return corev1ac.Namespace(in.namespace()).
		WithLabels(labels).
		WithAnnotations(map[string]string{naming.AnnotationUID: strconv.FormatInt(in.UID, 10)})
}

// ServiceAccount is the cell's: it may do nothing, and its token is not mounted.
func (in Input) ServiceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(naming.Cell, in.namespace()).
		WithLabels(in.labels()).
		WithAutomountServiceAccountToken(false)
}
