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

// firstLook is how long the load waits for the first sample of the target.
const firstLook = 10 * time.Second

// sample begins to watch the Pods of this platform, if it is what is tested. It goes on until it is stopped, or the operator
// is: ctx is the operator's, for no pass has a time limit.
func (r *Reconciler) sample(ctx context.Context, s *scope, run *running) {
	if s.test.Spec.Target == nil {
		run.sampling = time.Now()
		pods := func(ctx context.Context) ([]target.Pod, error) { return TargetPods(ctx, r.Client) }
		run.sampler = target.Start(ctx, target.Options{Pods: pods, Start: run.sampling, Log: r.Log})
	}
}

// seesTarget says whether every Pod was looked at once: the target's counts from before the load are needed.
func (run *running) seesTarget() bool {
	if run.sampler == nil || time.Since(run.sampling) > firstLook {
		return true
	}
	select {
	case <-run.sampler.Ready():
		return true
	default:
		return false
	}
}

// seen is what was seen of the target, in the time of a run that started at a time.
func (run *running) seen(start time.Time) target.Report {
	if run.sampler == nil {
		return target.Report{}
	}
	seen := run.sampler.Stop()
	if start.IsZero() {
		return seen
	}
	seen.FromSeconds -= start.Sub(run.sampling).Seconds()
	if run.sampling.After(start) {
		// Counts from the middle of the run cannot be compared with those of the whole.
		seen.Counters = nil
		seen.Missing = append(seen.Missing, fmt.Sprintf("everything in the first %s: the operator was started anew", run.sampling.Sub(start).Round(time.Second)))
	}
	return seen
}

// TargetPods are the gateways and cells that run.
func TargetPods(ctx context.Context, c client.Reader) ([]target.Pod, error) {
	var out []target.Pod
	for _, component := range []string{naming.Gateway, naming.Cell} {
		var list corev1.PodList
		if err := c.List(ctx, &list, client.MatchingLabels{naming.LabelName: component, naming.LabelPartOf: naming.PartOf}); err != nil {
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
