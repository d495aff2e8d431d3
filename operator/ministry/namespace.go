package ministry

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/ministry/specs"
	"gouv.tg/messagerie/operator/naming"
)

// reconcileNamespace makes the namespace and everything in it but the cell's accounts.
func (r *Reconciler) reconcileNamespace(ctx context.Context, s *scope) error {
	if err := r.buildInput(ctx, s); err != nil {
		return err
	}
	if err := r.checkNamespace(ctx, s); err != nil {
		return err
	}
	if err := r.applier.Apply(ctx, s.input.Namespace()); err != nil {
		return err
	}
	s.ministry.Status.Namespace = naming.Namespace(s.ministry.Name)
	s.ministry.Status.UID = s.input.UID
	var err error
	if s.config, err = s.input.Config(); err != nil {
		return err
	}
	// The cell starts as soon as its StatefulSet is there: what it mounts comes before.
	if err := errors.Join(
		r.reconcileKeys(ctx, s),
		r.applier.Apply(ctx, s.input.ServiceAccount()),
		r.applier.Apply(ctx, s.input.ConfigMap(s.config)),
		r.applier.Apply(ctx, s.input.NetworkPolicy()),
		r.applier.Apply(ctx, s.input.Service()),
	); err != nil {
		return err
	}
	return errors.Join(
		r.applier.Apply(ctx, s.input.StatefulSet(s.config)),
		r.applier.Apply(ctx, s.input.DisruptionBudget()),
	)
}

func (r *Reconciler) buildInput(ctx context.Context, s *scope) error {
	uid, err := r.uids.of(ctx, s.ministry.Name)
	if err != nil {
		return err
	}
	s.input = specs.Input{Ministry: s.ministry, Platform: s.platform, Image: r.Image, UID: uid}
	if s.platform.Spec.Image != "" {
		s.input.Image = s.platform.Spec.Image
	}
	s.input.StorageSize, s.input.StorageClass = specs.Storage(s.ministry, s.platform)
	// A claim that was made stays as it is, also when the Platform's defaults change.
	var existing appsv1.StatefulSet
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: naming.Namespace(s.ministry.Name), Name: naming.Cell}, &existing)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, claim := range existing.Spec.VolumeClaimTemplates {
		if claim.Name != naming.DataVolume {
			continue
		}
		s.input.StorageSize = claim.Spec.Resources.Requests[corev1.ResourceStorage]
		if claim.Spec.StorageClassName != nil {
			s.input.StorageClass = *claim.Spec.StorageClassName
		}
	}
	return nil
}

// checkNamespace refuses to take over a namespace that is not ours, and to work in one that is going away.
func (r *Reconciler) checkNamespace(ctx context.Context, s *scope) error {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	name := naming.Namespace(s.ministry.Name)
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) { // the cache holds ours only
		err = r.Reader.Get(ctx, client.ObjectKey{Name: name}, ns)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("cannot read Namespace %s: %w", name, err)
	case ns.DeletionTimestamp != nil:
		return fmt.Errorf("cannot use Namespace %s: it is being deleted", name)
	case ns.Labels[naming.LabelPartOf] != naming.PartOf:
		return fmt.Errorf("cannot use Namespace %s: somebody else made it; rename the ministry or remove the namespace", name)
	}
	return nil
}
