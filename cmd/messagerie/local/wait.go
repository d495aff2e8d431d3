package local

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
)

// pollInterval is how often objects that are not ready yet are read again: a handful, on loopback.
const pollInterval = 25 * time.Millisecond

// awaitReady waits until the Platform and every Ministry are Ready for their newest generation. It tells progress
// how far it is whenever that changes. Without a Platform there is nothing to wait for.
func awaitReady(ctx context.Context, c client.Client, progress func(format string, args ...any)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	last := ""
	for {
		ready, state, err := readiness(ctx, c)
		if err != nil {
			return err
		}
		if state != last {
			progress("%s", state)
			last = state
		}
		if ready {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s: %w", last, ctx.Err())
		case <-tick.C:
		}
	}
}

func readiness(ctx context.Context, c client.Client) (ready bool, state string, err error) {
	var platforms v1alpha1.PlatformList
	var ministries v1alpha1.MinistryList
	if err := c.List(ctx, &platforms); err != nil {
		return false, "", fmt.Errorf("cannot list platforms: %w", err)
	}
	if err := c.List(ctx, &ministries); err != nil {
		return false, "", fmt.Errorf("cannot list ministries: %w", err)
	}
	if len(platforms.Items) == 0 {
		return true, "no Platform declared yet", nil
	}
	var waiting []string
	for i := range platforms.Items {
		p := &platforms.Items[i]
		if !isReady(p.Status.Conditions, p.Generation) {
			waiting = append(waiting, "platform: "+reason(p.Status.Conditions))
		}
	}
	done := 0
	for i := range ministries.Items {
		m := &ministries.Items[i]
		if isReady(m.Status.Conditions, m.Generation) {
			done++
		} else if len(waiting) < 4 {
			waiting = append(waiting, m.Name+": "+reason(m.Status.Conditions))
		}
	}
	state = fmt.Sprintf("ministries ready: %d of %d", done, len(ministries.Items))
	if len(waiting) > 0 {
		state += " (" + strings.Join(waiting, ", ") + ")"
	}
	return len(waiting) == 0, state, nil
}

func isReady(conditions []metav1.Condition, generation int64) bool {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == generation
}

func reason(conditions []metav1.Condition) string {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return "not seen yet"
}

// AwaitReady waits for everything declared and then leaves the authority's certificate beside the kubeconfig.
func (i *Installation) AwaitReady(ctx context.Context, progress func(format string, args ...any)) error {
	if err := awaitReady(ctx, i.client, progress); err != nil {
		return err
	}
	return writeAuthority(ctx, i.client, i.dir)
}
