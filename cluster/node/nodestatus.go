package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	vknode "github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkInterval is how often the machine's memory and disk are looked at.
const checkInterval = 15 * time.Second

// nodeWatcher is virtual-kubelet's view of the node.
type nodeWatcher struct {
	n *Node

	mu     sync.Mutex
	object *corev1.Node
}

// Ping implements node.NodeProvider: the node is alive as long as the process is.
func (w *nodeWatcher) Ping(ctx context.Context) error { return ctx.Err() }

// NotifyNodeStatus implements node.NodeProvider: it reports the node when a condition has changed.
func (w *nodeWatcher) NotifyNodeStatus(ctx context.Context, report func(*corev1.Node)) {
	go func() {
		ticker := time.NewTicker(checkInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if changed := w.check(); changed != nil {
				report(changed)
			}
		}
	}()
}

// check returns the node if a condition has changed.
func (w *nodeWatcher) check() *corev1.Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.n.conditions(w.object.Status.Conditions)
	changed := false
	for i := range now {
		changed = changed || now[i].Status != w.object.Status.Conditions[i].Status
	}
	if !changed {
		return nil
	}
	w.object = w.object.DeepCopy()
	w.object.Status.Conditions = now
	return w.object.DeepCopy()
}

// newNodeController makes the controller that registers the node and renews its Lease.
func (n *Node) newNodeController(watcher *nodeWatcher, object *corev1.Node) (*vknode.NodeController, error) {
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	c, err := vknode.NewNodeController(watcher, object.DeepCopy(), n.client.CoreV1().Nodes(),
		vknode.WithNodeEnableLeaseV1WithRenewInterval(leases, int32(n.o.LeaseDuration/time.Second), n.o.RenewInterval),
		vknode.WithNodePingInterval(n.o.RenewInterval),
		vknode.WithNodeStatusUpdateInterval(time.Minute),
		vknode.WithNodeStatusUpdateErrorHandler(func(ctx context.Context, err error) error {
			if !apierrors.IsNotFound(err) {
				return err
			}
			// Somebody has deleted the node's object while it runs.
			_, err = n.client.CoreV1().Nodes().Create(ctx, object.DeepCopy(), metav1.CreateOptions{})
			return err
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot make the node controller: %w", err)
	}
	return c, nil
}
