package specs

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"gouv.tg/messagerie/operator/naming"
)

// NetworkPolicy opens the mail ports to everyone and the health port to the system namespace. Gateways reach cells,
// the API server (whose address differs from cluster to cluster, so every address but only on its ports) and DNS.
func (in Input) NetworkPolicy() *networkingv1ac.NetworkPolicyApplyConfiguration {
	mail := networkingv1ac.NetworkPolicyIngressRule()
	for _, p := range Ports {
		mail.WithPorts(port(corev1.ProtocolTCP, in.BasePort+p.WellKnown))
	}
	health := networkingv1ac.NetworkPolicyIngressRule().
		WithPorts(port(corev1.ProtocolTCP, naming.PortHealth)).
		WithFrom(networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector()))
	cells := networkingv1ac.NetworkPolicyPeer().
		WithNamespaceSelector(metav1ac.LabelSelector()).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
			naming.LabelName: naming.Cell, naming.LabelPartOf: naming.PartOf,
		}))
	return networkingv1ac.NetworkPolicy(naming.Gateway, naming.SystemNamespace).
		WithLabels(labels()).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(selector())).
			WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
			WithIngress(mail, health).
			WithEgress(
				networkingv1ac.NetworkPolicyEgressRule().WithTo(cells).WithPorts(port(corev1.ProtocolTCP, naming.PortLink)),
				networkingv1ac.NetworkPolicyEgressRule().WithPorts(
					port(corev1.ProtocolTCP, 443), port(corev1.ProtocolTCP, 6443),
					port(corev1.ProtocolTCP, 53), port(corev1.ProtocolUDP, 53))))
}

func port(protocol corev1.Protocol, n int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(n))
}

// DisruptionBudget lets one gateway go at a time.
func DisruptionBudget() *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(naming.Gateway, naming.SystemNamespace).
		WithLabels(labels()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector())))
}
