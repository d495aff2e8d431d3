package platform

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/platform/specs"
)

// gatewayPod is one gateway that has an address.
type gatewayPod struct {
	name    string
	address netip.Addr
	ready   bool
	current bool // runs with the configuration that is wanted
}

func (r *Reconciler) gatewayPods(ctx context.Context, s *scope) ([]gatewayPod, error) {
	var list corev1.PodList
	err := r.Client.List(ctx, &list, client.InNamespace(naming.SystemNamespace),
		client.MatchingLabels(naming.Selector(naming.Gateway, "")))
	if err != nil {
		return nil, fmt.Errorf("cannot list the gateways: %w", err)
	}
	var out []gatewayPod
	for i := range list.Items {
		pod := &list.Items[i]
		address, err := netip.ParseAddr(pod.Status.PodIP)
		if err != nil || pod.DeletionTimestamp != nil {
			continue // not there yet, or going
		}
		out = append(out, gatewayPod{
			name: pod.Name, address: address, ready: podReady(pod),
			current: pod.Annotations[naming.AnnotationConfig] == s.input.Digest(s.config),
		})
	}
	slices.SortFunc(out, func(a, b gatewayPod) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

func podReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (r *Reconciler) reconcileGateways(ctx context.Context, s *scope) error {
	return errors.Join(
		r.Applier.Apply(ctx, specs.ConfigMap(s.config)),
		r.Applier.Apply(ctx, s.input.NetworkPolicy()),
		r.Applier.Apply(ctx, s.input.StatefulSet(s.config)),
		r.Applier.Apply(ctx, specs.DisruptionBudget()),
		r.reconcileService(ctx, s),
	)
}

func (r *Reconciler) reconcileService(ctx context.Context, s *scope) error {
	if service := s.input.Service(); service != nil {
		return r.Applier.Apply(ctx, service)
	}
	old := &metav1.PartialObjectMetadata{}
	old.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: naming.Gateway}, old)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look up the gateways' Service: %w", err)
	}
	if err := r.Client.Delete(ctx, old); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot remove the gateways' Service: %w", err)
	}
	return nil
}
