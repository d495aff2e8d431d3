package node

import (
	"context"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	corev1 "k8s.io/api/core/v1"
	listers "k8s.io/client-go/listers/core/v1"

	"gouv.tg/messagerie/cluster/node/pods"
)

// provider connects virtual-kubelet's Pod controller with the Pods of this node.
//
// Three of the controller's habits are worked around. It knows Pods by name: a Pod that was replaced by one of the same
// name is hidden from it, so that it creates the new one; the pods package then ends the old one first. It deletes a
// stopped Pod from the API only when its whole grace period is over, and it never looks at a Pod's uid when it writes
// a status: statuses writes statuses and deletes stopped Pods instead, and the controller is told of none.
type provider struct {
	pods   *pods.Manager
	lister listers.PodLister
}

// NotifyPods implements node.PodNotifier; having it keeps the controller from polling.
func (p *provider) NotifyPods(context.Context, func(*corev1.Pod)) {}

// CreatePod implements node.PodLifecycleHandler. Pods start in the background; what goes wrong is in their status.
func (p *provider) CreatePod(_ context.Context, pod *corev1.Pod) error {
	p.pods.Set(pod)
	return nil
}

// UpdatePod implements node.PodLifecycleHandler.
func (p *provider) UpdatePod(_ context.Context, pod *corev1.Pod) error {
	p.pods.Set(pod)
	return nil
}

// DeletePod implements node.PodLifecycleHandler.
func (p *provider) DeletePod(_ context.Context, pod *corev1.Pod) error {
	if err := p.pods.Delete(pod, pod.DeletionGracePeriodSeconds); err != nil {
		return errdefs.AsNotFound(err)
	}
	return nil
}

// GetPod implements node.PodLifecycleHandler.
func (p *provider) GetPod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	uid, ok := p.pods.Find(namespace, name)
	if !ok {
		return nil, errdefs.NotFoundf("Pod %s/%s is not on this node", namespace, name)
	}
	if wanted, err := p.lister.Pods(namespace).Get(name); err == nil && wanted.UID != uid {
		return nil, errdefs.NotFoundf("Pod %s/%s is another one on this node", namespace, name)
	}
	report, ok := p.pods.Get(uid)
	if !ok {
		return nil, errdefs.NotFoundf("Pod %s/%s is not on this node", namespace, name)
	}
	return withStatus(report), nil
}

// GetPodStatus implements node.PodLifecycleHandler.
func (p *provider) GetPodStatus(ctx context.Context, namespace, name string) (*corev1.PodStatus, error) {
	pod, err := p.GetPod(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return &pod.Status, nil
}

// GetPods implements node.PodLifecycleHandler.
func (p *provider) GetPods(context.Context) ([]*corev1.Pod, error) {
	var list []*corev1.Pod
	for _, report := range p.pods.List() {
		list = append(list, withStatus(report))
	}
	return list, nil
}

func withStatus(report pods.Report) *corev1.Pod {
	pod := report.Pod.DeepCopy()
	pod.Status = report.Status
	return pod
}
