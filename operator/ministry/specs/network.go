package specs

import (
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

const labelNamespaceName = "kubernetes.io/metadata.name"

// Service gives the cell's Pod its stable name. It has no address of its own.
func (in Input) Service() *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(naming.Cell, in.namespace()).
		WithLabels(in.labels()).
		WithSpec(corev1ac.ServiceSpec().
			WithClusterIP(corev1.ClusterIPNone).
			WithPublishNotReadyAddresses(true).
			WithSelector(naming.Selector(naming.Cell, in.Ministry.Name)).
			WithPorts(
				servicePort("link", naming.PortLink),
				servicePort("admin", naming.PortAdmin)))
}

func servicePort(name string, port int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().WithName(name).WithPort(port).
		WithProtocol(corev1.ProtocolTCP).WithTargetPort(intstr.FromString(name))
}

// NetworkPolicy lets only gateways reach the link and only the operator the administration of the cell.
// The cell itself reaches nothing, or the relay when mail may leave.
func (in Input) NetworkPolicy() *networkingv1ac.NetworkPolicyApplyConfiguration {
	spec := networkingv1ac.NetworkPolicySpec().
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(naming.Selector(naming.Cell, in.Ministry.Name))).
		WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
		WithIngress(
			from(naming.Gateway, naming.PortLink),
			from("operator", naming.PortAdmin),
			networkingv1ac.NetworkPolicyIngressRule().WithFrom(systemPeer()).WithPorts(tcp(naming.PortHealth)))
	if in.Platform.Spec.Outbound.Mode == v1alpha1.OutboundRelay {
		if _, port, err := net.SplitHostPort(in.Platform.Spec.Outbound.Relay); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil {
				spec.WithEgress(
					networkingv1ac.NetworkPolicyEgressRule().WithPorts(tcp(int32(n))),
					networkingv1ac.NetworkPolicyEgressRule().WithPorts(tcp(53), udp(53)))
			}
		}
	}
	return networkingv1ac.NetworkPolicy(naming.Cell, in.namespace()).WithLabels(in.labels()).WithSpec(spec)
}

func from(component string, port int32) *networkingv1ac.NetworkPolicyIngressRuleApplyConfiguration {
	peer := systemPeer().WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{
		naming.LabelName:   component,
		naming.LabelPartOf: naming.PartOf,
	}))
	return networkingv1ac.NetworkPolicyIngressRule().WithFrom(peer).WithPorts(tcp(port))
}

func systemPeer() *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(metav1ac.LabelSelector().
		WithMatchLabels(map[string]string{labelNamespaceName: naming.SystemNamespace}))
}

func tcp(port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(port))
}

func udp(port int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return tcp(port).WithProtocol(corev1.ProtocolUDP)
}

// DisruptionBudget keeps the one Pod of a cell from being evicted while it serves: its volume stays with its node,
// so it could not run elsewhere. Whoever empties the node deletes the Pod on purpose.
func (in Input) DisruptionBudget() *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(naming.Cell, in.namespace()).
		WithLabels(in.labels()).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMinAvailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(naming.Selector(naming.Cell, in.Ministry.Name))))
}
