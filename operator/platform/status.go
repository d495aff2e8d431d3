package platform

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/platform/specs"
	"gouv.tg/messagerie/operator/records"
)

// describe counts, and lists where clients connect and what is to be published in the DNS.
func (r *Reconciler) describe(ctx context.Context, s *scope) error {
	var ministries v1alpha1.MinistryList
	if err := r.Client.List(ctx, &ministries); err != nil {
		return fmt.Errorf("cannot list ministries: %w", err)
	}
	status := &s.platform.Status
	status.Ministries = int32(len(ministries.Items))
	status.Gateways = v1alpha1.ReplicaCount{Total: s.input.Replicas()}
	serving := false
	for _, pod := range s.pods {
		serving = serving || pod.ready
		if pod.ready && pod.current {
			status.Gateways.Ready++
		}
	}
	count := fmt.Sprintf("%d of %d gateways serve as configured", status.Gateways.Ready, status.Gateways.Total)
	if serving {
		s.conds.True(v1alpha1.ConditionGatewayReady, v1alpha1.ReasonReady, count)
	} else {
		s.conds.False(v1alpha1.ConditionGatewayReady, v1alpha1.ReasonGatewayStarting, count)
	}
	public, err := r.publicAddresses(ctx, s)
	if err != nil {
		return err
	}
	status.Endpoints = s.endpoints(public)
	input := records.Input{Platform: s.platform, Ports: s.input.PublicPorts()}
	status.DNSRecords = append(input.Host(), input.Domain(string(s.platform.Spec.Domain))...)
	status.MTASTSPolicy = records.PolicyText(s.platform)
	status.CertificateAuthority = naming.SystemNamespace + "/" + naming.CA
	return nil
}

// publicAddresses are the Service's; nil when clients connect to the gateways themselves.
func (r *Reconciler) publicAddresses(ctx context.Context, s *scope) ([]string, error) {
	if s.input.Service() == nil {
		return nil, nil
	}
	var service corev1.Service
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: naming.Gateway}, &service)
	if err != nil {
		return nil, client.IgnoreNotFound(fmt.Errorf("cannot read the gateways' Service: %w", err))
	}
	out := []string{}
	if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		for _, i := range service.Status.LoadBalancer.Ingress {
			if i.IP != "" {
				out = append(out, i.IP)
			}
		}
	} else if service.Spec.ClusterIP != "" {
		out = append(out, service.Spec.ClusterIP)
	}
	return out, nil
}

func (s *scope) endpoints(public []string) []v1alpha1.Endpoint {
	var out []v1alpha1.Endpoint
	for _, p := range specs.Ports {
		var addresses []string
		for _, pod := range s.pods {
			if public == nil || p.Protocol == v1alpha1.ProtocolLMTP { // which no Service offers
				addresses = append(addresses, join(pod.address, s.input.BasePort+p.WellKnown))
			}
		}
		if public != nil && p.Protocol != v1alpha1.ProtocolLMTP {
			for _, a := range public {
				addresses = append(addresses, net.JoinHostPort(a, strconv.Itoa(int(p.WellKnown))))
			}
		}
		if len(addresses) > 0 {
			out = append(out, v1alpha1.Endpoint{Protocol: p.Protocol, Addresses: addresses})
		}
	}
	return out
}

func join(address netip.Addr, port int32) string {
	return netip.AddrPortFrom(address, uint16(port)).String()
}

// summarise derives Ready. One gateway is enough for mail to flow; the Platform is Ready when all serve as configured.
func summarise(s *scope) {
	gateways := s.platform.Status.Gateways
	message := fmt.Sprintf("%d gateways serve %s", gateways.Ready, s.platform.Spec.Domain)
	s.conds.Summarise([]string{v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionGatewayReady}, message,
		func(string) bool { return false })
	if !s.conds.IsTrue(v1alpha1.ConditionReady) {
		return
	}
	if gateways.Ready < gateways.Total {
		s.conds.Progress(v1alpha1.ReasonGatewayStarting, s.conds.Get(v1alpha1.ConditionGatewayReady).Message)
		return
	}
	s.platform.Status.ObservedGeneration = s.platform.Generation
}

// tell has people read when the Platform begins to serve, and when it is paused.
func (r *Reconciler) tell(before, after *v1alpha1.Platform) {
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionPaused} {
		c := meta.FindStatusCondition(after.Status.Conditions, kind)
		was := meta.IsStatusConditionTrue(before.Status.Conditions, kind)
		if c != nil && c.Status == metav1.ConditionTrue && !was {
			r.Recorder.Eventf(after, nil, corev1.EventTypeNormal, c.Reason, "Reconcile", "%s", c.Message)
		}
	}
}
