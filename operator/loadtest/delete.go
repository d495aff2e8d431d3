package loadtest

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/loadtest/specs"
	"gouv.tg/messagerie/operator/naming"
)

// delete ends the load and waits until it has ended: until then the target is not free. The report goes with the test.
func (r *Reconciler) delete(ctx context.Context, s *scope) error {
	if !controllerutil.ContainsFinalizer(s.test, naming.Finalizer) {
		return nil
	}
	r.forget(s.test.UID)
	// Workers that are told to stop abort their runs.
	if err := r.removeJob(ctx, s); err != nil {
		return err
	}
	// Not from the cache: it may not know yet of a Pod that was made a moment ago.
	var pods corev1.PodList
	if err := r.Reader.List(ctx, &pods, client.InNamespace(s.test.Namespace), client.MatchingLabels(specs.Selector(s.test.Name))); err != nil {
		return fmt.Errorf("cannot list the Pods of the workers: %w", err)
	}
	if len(pods.Items) > 0 {
		s.conds.Progress(v1alpha1.ReasonStoppingWorkers, fmt.Sprintf("%d workers are stopping", len(pods.Items)))
		s.after = soon
		return nil
	}
	if err := r.removeSecret(ctx, s); err != nil {
		return err
	}
	before := s.test.DeepCopy()
	controllerutil.RemoveFinalizer(s.test, naming.Finalizer)
	if err := r.Client.Patch(ctx, s.test, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot take the finalizer off LoadTest %s: %w", s.test.Name, err)
	}
	s.gone = true
	return nil
}

// removeSecret removes the workers' certificate with the last test of a namespace. Under the lock of claim, so that no
// test starts meanwhile; one that started before keeps it.
func (r *Reconciler) removeSecret(ctx context.Context, s *scope) error {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	var others v1alpha1.LoadTestList
	if err := r.Reader.List(ctx, &others, client.InNamespace(s.test.Namespace)); err != nil {
		return fmt.Errorf("cannot list load tests: %w", err)
	}
	for i := range others.Items {
		if o := &others.Items[i]; o.UID != s.test.UID && o.Status.StartedAt != nil && o.Status.FinishedAt == nil {
			return nil
		}
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.test.Namespace, Name: naming.LoadWorkerSecret}}
	if err := r.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot remove Secret %s: %w", naming.LoadWorkerSecret, err)
	}
	return nil
}
