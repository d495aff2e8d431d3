package loadtest

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
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
	workers       = 4
	controllerTag = "loadtest"
)

// SetupWithManager has the Reconciler called when a test, its Job or its Pods change, when a target becomes free or starts to
// serve. While there is load the Reconciler also comes back by itself, for the workers are not watched.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	own := handler.EnqueueRequestsFromMapFunc(testOfLabel)
	waiting := handler.EnqueueRequestsFromMapFunc(r.waiting)
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerTag).
		For(&v1alpha1.LoadTest{}).
		Watches(&batchv1.Job{}, own).
		Watches(&corev1.Pod{}, own).
		Watches(&v1alpha1.LoadTest{}, waiting, builder.WithPredicates(frees())).
		Watches(&v1alpha1.Platform{}, waiting, builder.WithPredicates(endpointsChanged())).
		WithOptions(requeue.Options(workers)).
		Complete(r)
}

func testOfLabel(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[naming.LabelLoadTest]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// waiting are the tests that have not started.
func (r *Reconciler) waiting(ctx context.Context, _ client.Object) []reconcile.Request {
	var list v1alpha1.LoadTestList
	if err := r.Client.List(ctx, &list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list load tests")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		if lt := &list.Items[i]; lt.Status.StartedAt == nil {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(lt)})
		}
	}
	return out
}

// frees lets through what may make room for a test that waits: another one that ended, went, or waits no more.
func frees() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*v1alpha1.LoadTest)
			after, ok2 := e.ObjectNew.(*v1alpha1.LoadTest)
			return !ok || !ok2 || waits(before) != waits(after) || (before.Status.FinishedAt == nil) != (after.Status.FinishedAt == nil)
		},
	}
}

// endpointsChanged lets through what tests take from the Platform.
func endpointsChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1alpha1.Platform)
		after, ok2 := e.ObjectNew.(*v1alpha1.Platform)
		return !ok || !ok2 || !apiequality.Semantic.DeepEqual(before.Status.Endpoints, after.Status.Endpoints)
	}}
}
