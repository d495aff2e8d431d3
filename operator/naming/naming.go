// Package naming holds the names, labels and annotations that the operator, the gateways and the cells agree on.
package naming

import "strings"

const (
	// SystemNamespace holds the gateways, the operator, the certificates and the sources of accounts.
	SystemNamespace = "messagerie-system"
	// FieldManager is the operator's name in server-side apply.
	FieldManager = "messagerie-operator"
	// Operator is the operator's user, service account and label value.
	Operator = "messagerie-operator"

	// Finalizer is on every Platform, Ministry and LoadTest before the operator makes anything for it.
	Finalizer = "messagerie.gouv.tg/operator"

	// LabelName tells cells, gateways and operators apart.
	LabelName = "app.kubernetes.io/name"
	// LabelPartOf is on everything the operator makes.
	LabelPartOf = "app.kubernetes.io/part-of"
	// LabelManagedBy is on everything the operator makes.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelMinistry names the ministry an object belongs to.
	LabelMinistry = "messagerie.gouv.tg/ministry"
	// LabelWave is the stage of the roll-out in which the ministry joins.
	LabelWave = "messagerie.gouv.tg/wave"
	// LabelImport is on the Secrets that an import of accounts made; its value is the ministry.
	LabelImport = "messagerie.gouv.tg/accounts-import"

	// LabelLoadTest names the load test that an object belongs to.
	LabelLoadTest = "messagerie.gouv.tg/loadtest"

	// AnnotationDomains is on cell Pods: the ministry's own domains, by which gateways route.
	AnnotationDomains = "messagerie.gouv.tg/domains"
	// AnnotationUID is on a ministry's namespace: the user id of its cell, which stays with the data.
	AnnotationUID = "messagerie.gouv.tg/uid"
	// AnnotationConfig is on Pod templates: the digest of the configuration that a Pod reads at its start only.
	AnnotationConfig = "messagerie.gouv.tg/config"

	// PartOf is the value of LabelPartOf.
	PartOf = "messagerie"
	// Cell is the name of a ministry's StatefulSet and of what stands beside it.
	Cell = "cell"
	// CellLink is the Secret with a cell's link certificate.
	CellLink = "cell-link"
	// DKIM is the Secret with a ministry's signing key.
	DKIM = "dkim"
	// DataVolume is the name of the cell's volume claim template.
	DataVolume = "data"
	// Gateway is the name of the gateways' StatefulSet and of what stands beside it.
	Gateway = "gateway"
	// GatewayTLS is the Secret with the certificate that clients see.
	GatewayTLS = "gateway-tls"
	// GatewayLink is the Secret with the gateways' link certificate.
	GatewayLink = "gateway-link"
	// LoadWorker is the component of load tests' Pods.
	LoadWorker = "loadworker"
	// LoadWorkerSecret is the Secret with the configuration and the certificate of the load workers of a namespace.
	LoadWorkerSecret = "loadtest-worker"
	// CA is the Secret with the certificate authority.
	CA = "messagerie-ca"

	// PortLink is where a cell answers gateways.
	PortLink = 7000
	// PortAdmin is where a cell answers the operator.
	PortAdmin = 7001
	// PortHealth is where cells and gateways answer probes.
	PortHealth = 7002
	// PortLoadWorker is where a load worker answers the operator.
	PortLoadWorker = 7003
)

const namespacePrefix = "min-"

// Namespace is the namespace of a ministry.
func Namespace(ministry string) string { return namespacePrefix + ministry }

// MinistryOfNamespace is the reverse of Namespace; false when ns is not a ministry's.
func MinistryOfNamespace(ns string) (string, bool) {
	return strings.CutPrefix(ns, namespacePrefix)
}

// Labels are those of everything that belongs to one component; ministry may be empty.
func Labels(component, ministry string) map[string]string {
	l := map[string]string{
		LabelName:      component,
		LabelPartOf:    PartOf,
		LabelManagedBy: Operator,
	}
	if ministry != "" {
		l[LabelMinistry] = ministry
	}
	return l
}

// Selector is the part of Labels that selects Pods and never changes.
func Selector(component, ministry string) map[string]string {
	l := Labels(component, ministry)
	delete(l, LabelManagedBy)
	return l
}

// GatewayIdentity is the URI in the gateways' link certificate.
const GatewayIdentity = "spiffe://messagerie/gateway"

// OperatorIdentity is the URI in the operator's link certificate.
const OperatorIdentity = "spiffe://messagerie/operator"

// CellIdentity is the URI in the link certificate of a ministry's cell.
func CellIdentity(ministry string) string { return "spiffe://messagerie/cell/" + ministry }

// LoadWorkerIdentity is the URI in the certificate of a namespace's load workers.
func LoadWorkerIdentity(namespace string) string {
	return "spiffe://messagerie/loadworker/" + namespace
}
