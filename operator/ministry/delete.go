package ministry

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

const (
	// drainTime is how long a cell may take to hand over what it has accepted.
	drainTime  = 30 * time.Second
	drainCheck = 250 * time.Millisecond
	// releaseCheck is how often it is looked whether the claim is gone, which nothing is watched for.
	releaseCheck = 100 * time.Millisecond
)

// delete takes a ministry away in stages. Each stage names itself in the condition Ready and is over before the next.
func (r *Reconciler) delete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.ministry, naming.Finalizer) {
		return ctrl.Result{}, nil
	}
	waiting, err := r.drain(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	if waiting {
		return ctrl.Result{RequeueAfter: drainCheck}, nil
	}
	if waiting, err = r.stopCell(ctx, s); err != nil || waiting {
		return ctrl.Result{}, err
	}
	if waiting, err = r.releaseData(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	if waiting {
		return ctrl.Result{RequeueAfter: releaseCheck}, nil
	}
	r.enqueue(ctx, r.book.Forget(s.ministry.Name))
	r.mu.Lock()
	delete(r.retained, s.ministry.Name)
	r.mu.Unlock()
	before := s.ministry.DeepCopy()
	controllerutil.RemoveFinalizer(s.ministry, naming.Finalizer)
	if err := r.Client.Patch(ctx, s.ministry, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("cannot take the finalizer off Ministry %s: %w", s.ministry.Name, err)
	}
	s.gone = true
	return ctrl.Result{}, nil
}

// drain waits, within bounds, until the cell has handed over the mail that it accepted for others.
func (r *Reconciler) drain(ctx context.Context, s *scope) (waiting bool, err error) {
	if time.Since(s.ministry.DeletionTimestamp.Time) > drainTime {
		return false, nil
	}
	pods, err := r.pods(ctx, r.Client, s.ministry.Name)
	if err != nil {
		return false, err
	}
	for i := range pods {
		if pods[i].DeletionTimestamp != nil || !podCondition(&pods[i], corev1.PodReady) {
			continue
		}
		cell, err := r.dial(s.ministry.Name, &pods[i])
		if err != nil {
			return false, err
		}
		defer cell.Close()
		asking, cancel := context.WithTimeout(ctx, statusTimeout)
		defer cancel()
		status, err := cell.Status(asking)
		if err != nil || status.QueueLength == 0 {
			return false, nil // what a cell that does not answer has in its queue stays on its volume
		}
		s.conds.Progress(v1alpha1.ReasonDraining, fmt.Sprintf("%d messages wait in the queue of the cell", status.QueueLength))
		return true, nil
	}
	return false, nil
}

// stopCell ends the cell and waits until its Pod is gone: until then it owns the volume.
func (r *Reconciler) stopCell(ctx context.Context, s *scope) (waiting bool, err error) {
	namespace := naming.Namespace(s.ministry.Name)
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: naming.Cell}}
	err = r.Client.Delete(ctx, set, client.PropagationPolicy(metav1.DeletePropagationForeground))
	if err == nil {
		s.conds.Progress(v1alpha1.ReasonStoppingCell, "the cell is being stopped")
		return true, nil
	}
	if !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("cannot stop the cell: %w", err)
	}
	// Not from the cache: it may not know yet of a Pod that was made a moment ago.
	pods, err := r.pods(ctx, r.Reader, s.ministry.Name)
	if err != nil {
		return false, err
	}
	if len(pods) > 0 {
		s.conds.Progress(v1alpha1.ReasonStoppingCell, "the cell's Pod on node "+pods[0].Spec.NodeName+" is stopping")
		return true, nil
	}
	return false, nil
}

// releaseData does with the mail what the policy says.
func (r *Reconciler) releaseData(ctx context.Context, s *scope) (waiting bool, err error) {
	if s.ministry.Spec.Storage.ReclaimPolicy != v1alpha1.ReclaimDelete {
		s.conds.Progress(v1alpha1.ReasonReleasingData,
			"the mail is kept with its keys in Namespace "+naming.Namespace(s.ministry.Name))
		return false, r.removeServing(ctx, s.ministry.Name)
	}
	s.conds.Progress(v1alpha1.ReasonReleasingData, "the mail is being removed, as storage.reclaimPolicy says")
	if err := r.setReclaimPolicy(ctx, s.ministry.Name, corev1.PersistentVolumeReclaimDelete); err != nil {
		return false, err
	}
	if err := r.removeImports(ctx, s.ministry.Name); err != nil {
		return false, err
	}
	// The claim goes before its namespace: the namespace controller looks at what is left every few seconds only.
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: naming.Namespace(s.ministry.Name), Name: claimName}}
	switch err := r.Client.Delete(ctx, claim); {
	case err == nil:
		return true, nil
	case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
		return false, fmt.Errorf("cannot delete the claim of the cell: %w", err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(s.ministry.Name)}}
	switch err := r.Client.Delete(ctx, ns); {
	case apierrors.IsNotFound(err):
		r.uids.release(s.ministry.Name)
		return false, nil
	case err != nil && !apierrors.IsConflict(err): // a conflict says that it is already going
		return false, fmt.Errorf("cannot delete Namespace %s: %w", ns.Name, err)
	}
	return true, nil
}

// removeServing removes what only a serving cell needs. The volume, the signing key and the user id stay.
func (r *Reconciler) removeServing(ctx context.Context, ministry string) error {
	at := metav1.ObjectMeta{Namespace: naming.Namespace(ministry), Name: naming.Cell}
	link := at
	link.Name = naming.CellLink
	var all []error
	for _, o := range []client.Object{
		&policyv1.PodDisruptionBudget{ObjectMeta: at},
		&networkingv1.NetworkPolicy{ObjectMeta: at},
		&corev1.Service{ObjectMeta: at},
		&corev1.ConfigMap{ObjectMeta: at},
		&corev1.ServiceAccount{ObjectMeta: at},
		&corev1.Secret{ObjectMeta: link},
	} {
		if err := r.Client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			all = append(all, fmt.Errorf("cannot remove %T %s: %w", o, o.GetName(), err))
		}
	}
	return errors.Join(all...)
}

// removeImports removes the accounts that were imported for the ministry.
func (r *Reconciler) removeImports(ctx context.Context, ministry string) error {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := r.Client.List(ctx, &list, client.InNamespace(naming.SystemNamespace), client.MatchingLabels{naming.LabelImport: ministry})
	if err != nil {
		return fmt.Errorf("cannot list imported accounts: %w", err)
	}
	for i := range list.Items {
		if err := r.Client.Delete(ctx, &list.Items[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot remove imported accounts: %w", err)
		}
	}
	return nil
}
