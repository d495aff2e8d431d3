// Package specs builds everything a ministry is made of. Its functions are pure: the same input gives the same output.
package specs

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/records"
)

// Input is what a ministry is built from.
type Input struct {
	Ministry *v1alpha1.Ministry
	Platform *v1alpha1.Platform
	// Image is the container image of the cell.
	Image string
	// UID is the user and group the cell runs as.
	UID int64
	// StorageSize and StorageClass of the volume claim. Once made they never change.
	StorageSize  resource.Quantity
	StorageClass string
}

func (in Input) namespace() string { return naming.Namespace(in.Ministry.Name) }

func (in Input) labels() map[string]string {
	return naming.Labels(naming.Cell, in.Ministry.Name)
}

// Domains are the ministry's own domains, in the order of the spec.
func (in Input) Domains() []string {
	domains := make([]string, 0, len(in.Ministry.Spec.Domains))
	for _, d := range in.Ministry.Spec.Domains {
		domains = append(domains, string(d))
	}
	return domains
}

// DomainsAnnotation is how gateways learn the domains: sorted, so that order does not restart the cell.
func (in Input) DomainsAnnotation() string {
	return strings.Join(slices.Sorted(slices.Values(in.Domains())), ",")
}

// Selector is the DKIM selector of a ministry. It carries the name because all ministries sign for the shared domain too,
// each with its own key.
func Selector(ministry string) string { return "m1-" + ministry }

// MailboxQuota is what one mailbox may hold, in bytes.
func MailboxQuota(m *v1alpha1.Ministry, p *v1alpha1.Platform) int64 {
	q := cmp.Or(m.Spec.Quotas.Mailbox, p.Spec.Defaults.MailboxQuota)
	if q == nil {
		return 1 << 30
	}
	return q.Value()
}

// Storage is the wanted size and class of the volume claim.
func Storage(m *v1alpha1.Ministry, p *v1alpha1.Platform) (size resource.Quantity, class string) {
	size = resource.MustParse("10Gi")
	if q := cmp.Or(m.Spec.Storage.Size, p.Spec.Defaults.StorageSize); q != nil {
		size = *q
	}
	return size, cmp.Or(p.Spec.Defaults.StorageClass, "messagerie-local")
}

// Hostname is what the gateways call themselves.
func Hostname(p *v1alpha1.Platform) string { return records.Hostname(p) }
