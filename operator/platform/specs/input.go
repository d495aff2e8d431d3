// Package specs builds the gateways. Its functions are pure: the same input gives the same output.
package specs

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/records"
)

// UID is the user and group the gateways run as; ministries' cells have theirs from 100000 on.
const UID = 65532

// Input is what the gateways are built from.
type Input struct {
	Platform *v1alpha1.Platform
	// Image is the container image of the gateways.
	Image string
	// BasePort is added to the well-known port of each protocol; 0 takes the well-known ports themselves.
	BasePort int32
}

// Port is one protocol that gateways serve.
type Port struct {
	Name      string // of the container port, and in gateway.json
	Protocol  v1alpha1.EndpointProtocol
	WellKnown int32
}

// Ports are the protocols that gateways serve.
var Ports = []Port{
	{"smtp", v1alpha1.ProtocolSMTP, 25},
	{"lmtp", v1alpha1.ProtocolLMTP, 24},
	{"submission", v1alpha1.ProtocolSubmission, 587},
	{"submissions", v1alpha1.ProtocolSubmissions, 465},
	{"imap", v1alpha1.ProtocolIMAP, 143},
	{"imaps", v1alpha1.ProtocolIMAPS, 993},
}

// Replicas is how many gateways run.
func (in Input) Replicas() int32 { return cmp.Or(in.Platform.Spec.Gateway.Replicas, 1) }

// PublicPorts are those that clients connect to: well-known behind a Service, the Pods' own without one.
func (in Input) PublicPorts() records.Ports {
	base := in.BasePort
	if in.service() != v1alpha1.GatewayServiceNone {
		base = 0
	}
	return records.Ports{IMAP: base + 143, IMAPS: base + 993, Submission: base + 587, Submissions: base + 465}
}

func (in Input) service() v1alpha1.GatewayService {
	return cmp.Or(in.Platform.Spec.Gateway.Service, v1alpha1.GatewayServiceNone)
}

// capabilities that binding the ports takes.
func (in Input) capabilities() []corev1.Capability {
	for _, p := range Ports {
		if in.BasePort+p.WellKnown < 1024 {
			return []corev1.Capability{"NET_BIND_SERVICE"}
		}
	}
	return nil
}

func labels() map[string]string { return naming.Labels(naming.Gateway, "") }

func selector() map[string]string { return naming.Selector(naming.Gateway, "") }
