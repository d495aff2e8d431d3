package ministry

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
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
	"sigs.k8s.io/controller-runtime/pkg/source"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/requeue"
)

const (
	workers       = 4
	controllerTag = "ministry"
)

// SetupWithManager has the Reconciler called whenever anything changes that a ministry depends on, so that nothing polls.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byLabel := handler.EnqueueRequestsFromMapFunc(ministryOfLabel)
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerTag).
		For(&v1alpha1.Ministry{}).
		Watches(&appsv1.StatefulSet{}, byLabel).
		Watches(&corev1.Pod{}, byLabel, builder.WithPredicates(podChanged())).
		Watches(&v1alpha1.Platform{}, handler.EnqueueRequestsFromMapFunc(r.everyMinistry), builder.WithPredicates(platformChanged())).
		WatchesRawSource(source.Channel(r.touched, &handler.EnqueueRequestForObject{})).
		WithOptions(requeue.Options(workers))
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
	} {
		b = b.WatchesMetadata(metadata(kind), byLabel)
	}
	for _, kind := range []v1alpha1.SourceKind{v1alpha1.SourceConfigMap, v1alpha1.SourceSecret} {
		b = b.WatchesMetadata(metadata(corev1.SchemeGroupVersion.WithKind(string(kind))),
			handler.EnqueueRequestsFromMapFunc(r.ministriesOfSource(kind)))
	}
	return b.Complete(r)
}

func metadata(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(gvk)
	return m
}

func ministryOfLabel(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[naming.LabelMinistry]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

func (r *Reconciler) everyMinistry(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.ministriesThat(ctx, func(*v1alpha1.Ministry) bool { return true })
}

// ministriesOfSource finds who reads accounts from an object of the system namespace, and whose a cell's own object is.
func (r *Reconciler) ministriesOfSource(kind v1alpha1.SourceKind) handler.MapFunc {
	return func(ctx context.Context, o client.Object) []reconcile.Request {
		if o.GetNamespace() != naming.SystemNamespace {
			return ministryOfLabel(ctx, o)
		}
		return r.ministriesThat(ctx, func(m *v1alpha1.Ministry) bool {
			for _, s := range m.Spec.Accounts.Sources {
				if s.Kind == kind && s.Name == o.GetName() {
					return true
				}
			}
			return false
		})
	}
}

func (r *Reconciler) ministriesThat(ctx context.Context, match func(*v1alpha1.Ministry) bool) []reconcile.Request {
	var list v1alpha1.MinistryList
	if err := r.Client.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list ministries")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		if match(&list.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
	}
	return out
}

// podChanged lets through what changes whether and where a Pod serves.
func podChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.Pod)
		after, ok2 := e.ObjectNew.(*corev1.Pod)
		if !ok || !ok2 {
			return true
		}
		return before.Status.PodIP != after.Status.PodIP ||
			podCondition(before, corev1.PodReady) != podCondition(after, corev1.PodReady) ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil) ||
			!apiequality.Semantic.DeepEqual(before.Status.ContainerStatuses, after.Status.ContainerStatuses)
	}}
}

// platformChanged lets through what ministries take from the Platform.
func platformChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Platform)
		after, ok2 := e.ObjectNew.(*v1alpha1.Platform)
		if !ok || !ok2 {
			return true
		}
		serving := func(p *v1alpha1.Platform) bool {
			return meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionGatewayReady)
		}
		return before.Generation != after.Generation || serving(before) != serving(after) ||
			!apiequality.Semantic.DeepEqual(before.Status.Endpoints, after.Status.Endpoints)
	}}
}
