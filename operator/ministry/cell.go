package ministry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

// Cell is the administration of a running cell.
type Cell interface {
	Status(ctx context.Context) (admin.Status, error)
	PutAccounts(ctx context.Context, accounts []admin.Account) (admin.Result, error)
	Close()
}

// dialer reaches cells over the network, with the operator's identity; a cell must show its ministry's.
func dialer(authority *pki.Authority) func(ministry, address string) (Cell, error) {
	identity := authority.NewIdentity(pki.Request{CommonName: naming.Operator, URI: naming.OperatorIdentity})
	return func(ministry, address string) (Cell, error) {
		config, err := identity.ClientConfig(naming.CellIdentity(ministry))
		if err != nil {
			return nil, err
		}
		return admin.NewClient("https://"+net.JoinHostPort(address, strconv.Itoa(naming.PortAdmin)), config), nil
	}
}

// reconcileCell finds the Pod that serves as configured, and keeps its volume.
func (r *Reconciler) reconcileCell(ctx context.Context, s *scope) error {
	pods, err := r.pods(ctx, r.Client, s.ministry.Name)
	if err != nil {
		return err
	}
	s.ministry.Status.Cells = v1alpha1.ReplicaCount{Total: 1}
	why := "the cell's Pod is not there yet"
	for i := range pods {
		pod := &pods[i]
		if why = notServing(pod, s.input.Digest(s.config), s.input.DomainsAnnotation()); why == "" {
			s.pod = pod
			break
		}
	}
	if s.pod == nil {
		s.conds.False(v1alpha1.ConditionCellReady, v1alpha1.ReasonCellStarting, why)
		return nil
	}
	s.ministry.Status.Cells.Ready = 1
	s.conds.True(v1alpha1.ConditionCellReady, v1alpha1.ReasonReady, "the cell serves on node "+s.pod.Spec.NodeName)
	return r.protectVolume(ctx, s)
}

func (r *Reconciler) pods(ctx context.Context, c client.Reader, ministry string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := c.List(ctx, &list, client.InNamespace(naming.Namespace(ministry)),
		client.MatchingLabels(naming.Selector(naming.Cell, ministry)))
	if err != nil {
		return nil, fmt.Errorf("cannot list the Pods of the cell: %w", err)
	}
	return list.Items, nil
}

// notServing says why a Pod is not yet the cell that is wanted; "" when it is.
func notServing(pod *corev1.Pod, digest, domains string) string {
	switch {
	case pod.DeletionTimestamp != nil:
		return "the cell's Pod is stopping"
	case pod.Annotations[naming.AnnotationConfig] != digest || pod.Annotations[naming.AnnotationDomains] != domains:
		return "the cell's Pod still runs with the configuration before"
	case pod.Status.PodIP == "" || !podCondition(pod, corev1.PodReady):
		return "the cell's Pod is not ready: " + whyWaiting(pod)
	}
	return ""
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// whyWaiting looks for the most telling reason.
func whyWaiting(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		switch {
		case c.State.Waiting != nil && c.State.Waiting.Reason != "":
			return c.State.Waiting.Reason + " " + c.State.Waiting.Message
		case c.State.Terminated != nil:
			return fmt.Sprintf("ended with code %d (%s)", c.State.Terminated.ExitCode, c.State.Terminated.Reason)
		case c.State.Running != nil:
			return "running, but not yet ready to serve"
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + " " + c.Message
		}
	}
	return string(pod.Status.Phase)
}

// protectVolume sets the reclaim policy Retain on the volume itself, so that the mail outlives even a namespace that is
// deleted by hand.
func (r *Reconciler) protectVolume(ctx context.Context, s *scope) error {
	policy := s.ministry.Spec.Storage.ReclaimPolicy
	r.mu.Lock()
	done := r.retained[s.ministry.Name] == policy
	r.mu.Unlock()
	if done {
		return nil
	}
	if policy != v1alpha1.ReclaimDelete {
		if err := r.setReclaimPolicy(ctx, s.ministry.Name, corev1.PersistentVolumeReclaimRetain); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retained[s.ministry.Name] = policy
	return nil
}

// claimName is how the StatefulSet names the claim of its one Pod.
const claimName = naming.DataVolume + "-" + naming.Cell + "-0"

// setReclaimPolicy sets what becomes of the ministry's volume once its claim is gone.
func (r *Reconciler) setReclaimPolicy(ctx context.Context, ministry string, policy corev1.PersistentVolumeReclaimPolicy) error {
	var claim corev1.PersistentVolumeClaim
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: naming.Namespace(ministry), Name: claimName}, &claim)
	if err != nil {
		return client.IgnoreNotFound(fmt.Errorf("cannot read the claim of the cell: %w", err))
	}
	if claim.Spec.VolumeName == "" {
		return nil
	}
	var volume corev1.PersistentVolume
	if err := r.Reader.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, &volume); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("cannot read the volume of the cell: %w", err))
	}
	if volume.Spec.PersistentVolumeReclaimPolicy == policy {
		return nil
	}
	before := volume.DeepCopy()
	volume.Spec.PersistentVolumeReclaimPolicy = policy
	if err := r.Client.Patch(ctx, &volume, client.MergeFrom(before), client.FieldOwner(naming.FieldManager)); err != nil {
		return fmt.Errorf("cannot set the reclaim policy of the cell's volume: %w", err)
	}
	return nil
}

var errNoCell = errors.New("the cell does not serve")

// dial reaches the cell of a Pod.
func (r *Reconciler) dial(ministry string, pod *corev1.Pod) (Cell, error) {
	if pod == nil {
		return nil, errNoCell
	}
	return r.Cells(ministry, pod.Status.PodIP)
}
