package loadtest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/loadtest/target"
	"gouv.tg/messagerie/operator/naming"
)

// sample begins to watch the Pods of this platform, beside a test whose load starts at a time. It goes on until it is stopped.
func (r *Reconciler) sample(ctx context.Context, at time.Time) *target.Sampler {
	return target.Start(context.WithoutCancel(ctx), target.Options{Pods: r.targetPods, Start: at, Log: r.Log})
}

// targetPods are the cells and gateways that run.
func (r *Reconciler) targetPods(ctx context.Context) ([]target.Pod, error) {
	var out []target.Pod
	for _, component := range []string{naming.Gateway, naming.Cell} {
		var list corev1.PodList
		if err := r.Client.List(ctx, &list, client.MatchingLabels{naming.LabelName: component, naming.LabelPartOf: naming.PartOf}); err != nil {
			return nil, fmt.Errorf("cannot list Pods: %w", err)
		}
		for i := range list.Items {
			if pod := &list.Items[i]; runs(pod) {
				out = append(out, target.Pod{
					Name:    pod.Namespace + "/" + pod.Name,
					Address: net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(naming.PortHealth)),
				})
			}
		}
	}
	return out, nil
}
