package platform

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/requeue"
)

const (
	controllerTag = "platform"
)

// SetupWithManager has the Reconciler called whenever anything changes that the Platform depends on, so that nothing polls.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	own := handler.EnqueueRequestsFromMapFunc(ofGateways)
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerTag).
		For(&v1alpha1.Platform{}).
		Watches(&appsv1.StatefulSet{}, own).
		Watches(&corev1.Pod{}, own).
		Watches(&v1alpha1.Ministry{}, handler.EnqueueRequestsFromMapFunc(always), builder.WithPredicates(comesOrGoes())).
		WithOptions(requeue.Options(1))
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		corev1.SchemeGroupVersion.WithKind("Secret"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
	} {
		meta := &metav1.PartialObjectMetadata{}
		meta.SetGroupVersionKind(kind)
		b = b.WatchesMetadata(meta, own)
	}
	return b.Complete(r)
}

var request = []reconcile.Request{{NamespacedName: types.NamespacedName{Name: v1alpha1.PlatformName}}}

func always(context.Context, client.Object) []reconcile.Request { return request }

// ofGateways lets through the gateways' own objects and the certificate authority.
func ofGateways(_ context.Context, o client.Object) []reconcile.Request {
	if o.GetNamespace() != naming.SystemNamespace {
		return nil
	}
	if o.GetLabels()[naming.LabelName] != naming.Gateway && o.GetName() != naming.CA {
		return nil
	}
	return request
}

func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}
