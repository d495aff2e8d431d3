package platform

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

// delete takes the gateways away once no ministry needs them. The certificate authority stays: a Platform applied again
// is one that clients trust already.
func (r *Reconciler) delete(ctx context.Context, s *scope) error {
	if !controllerutil.ContainsFinalizer(s.platform, naming.Finalizer) {
		return nil
	}
	var ministries v1alpha1.MinistryList
	if err := r.Client.List(ctx, &ministries); err != nil {
		return fmt.Errorf("cannot list ministries: %w", err)
	}
	if n := len(ministries.Items); n > 0 {
		s.conds.Stall(v1alpha1.ReasonMinistriesRemain, fmt.Sprintf("%d ministries still need the gateways: delete them first", n))
		return nil
	}
	stopping, err := r.stopGateways(ctx)
	if err != nil || stopping {
		s.conds.Progress(v1alpha1.ReasonStoppingGateways, "the gateways are being stopped")
		return err
	}
	before := s.platform.DeepCopy()
	controllerutil.RemoveFinalizer(s.platform, naming.Finalizer)
	if err := r.Client.Patch(ctx, s.platform, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot take the finalizer off the Platform: %w", err)
	}
	s.gone = true
	return nil
}

func (r *Reconciler) stopGateways(ctx context.Context) (stopping bool, err error) {
	at := metav1.ObjectMeta{Namespace: naming.SystemNamespace, Name: naming.Gateway}
	err = r.Client.Delete(ctx, &appsv1.StatefulSet{ObjectMeta: at}, client.PropagationPolicy(metav1.DeletePropagationForeground))
	if err == nil {
		return true, nil
	}
	if !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("cannot stop the gateways: %w", err)
	}
	var all []error
	for _, o := range []client.Object{
		&policyv1.PodDisruptionBudget{ObjectMeta: at},
		&networkingv1.NetworkPolicy{ObjectMeta: at},
		&corev1.Service{ObjectMeta: at},
		&corev1.ConfigMap{ObjectMeta: at},
	} {
		if err := r.Client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			all = append(all, fmt.Errorf("cannot remove %T of the gateways: %w", o, err))
		}
	}
	return false, errors.Join(all...)
}
