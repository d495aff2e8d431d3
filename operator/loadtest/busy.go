package loadtest

import (
	"k8s.io/apimachinery/pkg/api/meta"

	"gouv.tg/messagerie/api/v1alpha1"
)

// blocks says whether a test must wait for another one: that runs on the same target, or has waited for it longer.
func blocks(other, lt *v1alpha1.LoadTest, p *v1alpha1.Platform) bool {
	if other.Status.FinishedAt != nil || !overlap(other, lt, p) {
		return false
	}
	if other.Spec.Concurrency == v1alpha1.LoadConcurrencyAllow && lt.Spec.Concurrency == v1alpha1.LoadConcurrencyAllow {
		return false
	}
	return other.Status.StartedAt != nil || waits(other) && older(other, lt)
}

// waits says whether a test that has not started will, without anybody's doing.
func waits(lt *v1alpha1.LoadTest) bool {
	return lt.DeletionTimestamp == nil && len(lt.Spec.Paused) == 0 &&
		!meta.IsStatusConditionTrue(lt.Status.Conditions, v1alpha1.ConditionStalled)
}

func older(a, b *v1alpha1.LoadTest) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

// overlap says whether two tests have an endpoint in common.
func overlap(a, b *v1alpha1.LoadTest, p *v1alpha1.Platform) bool {
	if a.Spec.Target == nil && b.Spec.Target == nil {
		return true
	}
	has := endpoints(a, p)
	for address := range endpoints(b, p) {
		if has[address] {
			return true
		}
	}
	return false
}

// endpoints are the addresses that a test puts load on.
func endpoints(lt *v1alpha1.LoadTest, p *v1alpha1.Platform) map[string]bool {
	out := map[string]bool{}
	switch {
	case lt.Spec.Target != nil:
		for _, e := range lt.Spec.Target.Endpoints {
			out[e.Address] = true
		}
	case p != nil:
		for _, e := range p.Status.Endpoints {
			for _, address := range e.Addresses {
				out[address] = true
			}
		}
	}
	return out
}
