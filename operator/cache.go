package operator

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/naming"
)

// cacheOptions hold in memory, and ask the API server for, no more than the controllers look at: our own objects by
// label; ConfigMaps and Secrets in the system namespace only, and of those, because they are watched as metadata,
// never the content. A cell's ConfigMap is found by its name, so that the operator needs no right to list others.
func cacheOptions() cache.Options {
	own := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{naming.LabelPartOf: naming.PartOf})}
	system := map[string]cache.Config{naming.SystemNamespace: {}}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                   own,
			&appsv1.StatefulSet{}:           own,
			&batchv1.Job{}:                  own,
			&corev1.Namespace{}:             own,
			&corev1.Service{}:               own,
			&corev1.ServiceAccount{}:        own,
			&networkingv1.NetworkPolicy{}:   own,
			&policyv1.PodDisruptionBudget{}: own,
			&corev1.Secret{}:                {Namespaces: system},
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{
				naming.SystemNamespace: {},
				cache.AllNamespaces:    {FieldSelector: fields.OneTermEqualSelector("metadata.name", naming.Cell)},
			}},
		},
	}
}
