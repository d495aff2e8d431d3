package ministry

import (
	"cmp"
	"fmt"
	"slices"

	"gouv.tg/messagerie/api/v1alpha1"
)

// Before orders ministries by age, then by name: who came first keeps what it holds.
func Before(a, b *v1alpha1.Ministry) bool {
	return cmp.Or(
		a.CreationTimestamp.Time.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name)) < 0
}

// domainClash says which domain is not the ministry's to have, and whose it is; "" when all are its own.
// Admission refuses such ministries; this catches two that were applied at the same moment.
func domainClash(m *v1alpha1.Ministry, p *v1alpha1.Platform, older []*v1alpha1.Ministry) string {
	for i, d := range m.Spec.Domains {
		if d == p.Spec.Domain {
			return fmt.Sprintf("spec.domains[%d]: %s is the domain that all ministries share", i, d)
		}
		for _, o := range older {
			if slices.Contains(o.Spec.Domains, d) {
				return fmt.Sprintf("spec.domains[%d]: %s is a domain of Ministry %s", i, d, o.Name)
			}
		}
	}
	return ""
}
