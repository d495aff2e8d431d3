package ministry

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/ministry/specs"
	platformspecs "gouv.tg/messagerie/operator/platform/specs"
	"gouv.tg/messagerie/operator/records"
)

// parts are the conditions that Ready is made of, in the order in which things come about.
var parts = []string{v1alpha1.ConditionNamespaceReady, v1alpha1.ConditionCellReady, v1alpha1.ConditionAccountsReady}

// stalled are the reasons that only a person can remove.
func stalled(reason string) bool {
	return slices.Contains([]string{
		v1alpha1.ReasonPlatformMissing, v1alpha1.ReasonDomainClash, v1alpha1.ReasonSourceMissing,
		v1alpha1.ReasonInvalidAccounts, v1alpha1.ReasonAddressClash, v1alpha1.ReasonQuotaExceeded,
	}, reason)
}

// summarise derives Ready from the parts, and from the gateways, without which no agent gets to the cell.
func (r *Reconciler) summarise(s *scope) {
	s.conds.Summarise(parts, fmt.Sprintf("%d accounts are served", s.ministry.Status.Accounts.Served), stalled)
	if !s.conds.IsTrue(v1alpha1.ConditionReady) {
		return
	}
	if s.platform == nil || !meta.IsStatusConditionTrue(s.platform.Status.Conditions, v1alpha1.ConditionGatewayReady) {
		s.conds.Progress(v1alpha1.ReasonGatewayStarting, "no gateway serves yet")
		return
	}
	s.ministry.Status.ObservedGeneration = s.ministry.Generation
}

// describe lists where agents connect and what is to be published in the DNS.
func (r *Reconciler) describe(s *scope) {
	status := &s.ministry.Status
	status.Endpoints = endpoints(s.ministry.Spec.Services, s.platform.Status.Endpoints)
	gateways := platformspecs.Input{Platform: s.platform, BasePort: r.BasePort}
	input := records.Input{Platform: s.platform, Ports: gateways.PublicPorts()}
	selector := specs.Selector(s.ministry.Name)
	status.DNSRecords = nil
	for _, domain := range s.input.Domains() {
		status.DNSRecords = append(status.DNSRecords, input.Domain(domain)...)
		status.DNSRecords = append(status.DNSRecords, records.DKIM(domain, selector, s.keys.dkim))
	}
	// Its agents may have addresses under the shared domain, for which the cell signs with the same key.
	status.DNSRecords = append(status.DNSRecords, records.DKIM(string(s.platform.Spec.Domain), selector, s.keys.dkim))
	status.MTASTSPolicy = records.PolicyText(s.platform)
}

// endpoints are those of the gateways that the services enabled for agents use.
func endpoints(services []v1alpha1.AgentService, all []v1alpha1.Endpoint) []v1alpha1.Endpoint {
	protocols := map[v1alpha1.EndpointProtocol]v1alpha1.AgentService{
		v1alpha1.ProtocolIMAP:        v1alpha1.AgentServiceIMAP,
		v1alpha1.ProtocolIMAPS:       v1alpha1.AgentServiceIMAP,
		v1alpha1.ProtocolSubmission:  v1alpha1.AgentServiceSubmission,
		v1alpha1.ProtocolSubmissions: v1alpha1.AgentServiceSubmission,
	}
	var out []v1alpha1.Endpoint
	for _, e := range all {
		if service, ok := protocols[e.Protocol]; ok && slices.Contains(services, service) {
			out = append(out, e)
		}
	}
	return out
}
