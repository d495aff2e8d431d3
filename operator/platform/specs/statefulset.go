package specs

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/restricted"
)

// StatefulSet is the gateways. They hold no data; they are a StatefulSet for their stable names.
func (in Input) StatefulSet(config string) *appsv1ac.StatefulSetApplyConfiguration {
	template := corev1ac.PodTemplateSpec().
		WithLabels(selector()).
		WithAnnotations(map[string]string{naming.AnnotationConfig: in.Digest(config)}).
		WithSpec(in.podSpec())
	return appsv1ac.StatefulSet(naming.Gateway, naming.SystemNamespace).
		WithLabels(labels()).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(in.Replicas()).
			WithServiceName(naming.Gateway).
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithRevisionHistoryLimit(2).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector())).
			WithTemplate(template))
}

func (in Input) podSpec() *corev1ac.PodSpecApplyConfiguration {
	spread := corev1ac.TopologySpreadConstraint().
		WithMaxSkew(1).
		WithTopologyKey(corev1.LabelHostname).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(selector()))
	return corev1ac.PodSpec().
		WithServiceAccountName(naming.Gateway).
		WithEnableServiceLinks(false).
		WithSecurityContext(restricted.Pod(UID)).
		WithTerminationGracePeriodSeconds(30).
		// A gateway holds nothing: when its node is out of sight another one starts soon.
		WithTolerations(
			lost(corev1.TaintNodeNotReady),
			lost(corev1.TaintNodeUnreachable)).
		WithTopologySpreadConstraints(spread).
		WithContainers(in.container()).
		WithVolumes(
			restricted.ConfigVolume("config", naming.Gateway),
			restricted.SecretVolume("tls", naming.GatewayTLS),
			restricted.SecretVolume("link", naming.GatewayLink),
			restricted.Scratch("tmp", "256Mi"))
}

func lost(taint string) *corev1ac.TolerationApplyConfiguration {
	return corev1ac.Toleration().WithKey(taint).WithOperator(corev1.TolerationOpExists).
		WithEffect(corev1.TaintEffectNoExecute).WithTolerationSeconds(5)
}

func (in Input) container() *corev1ac.ContainerApplyConfiguration {
	c := corev1ac.Container().
		WithName(naming.Gateway).
		WithImage(in.Image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/stackd").
		WithArgs("gateway", "--config", configDir+"/"+configKey).
		WithEnv(restricted.PodAddress()).
		WithResources(corev1ac.ResourceRequirements().
			WithRequests(corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
			}).
			WithLimits(corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")})).
		WithSecurityContext(restricted.Container(in.capabilities()...)).
		WithPorts(containerPort("health", naming.PortHealth)).
		WithStartupProbe(restricted.Probe("/healthz", "health", 1, 60)).
		WithReadinessProbe(restricted.Probe("/readyz", "health", 1, 2)).
		WithLivenessProbe(restricted.Probe("/healthz", "health", 10, 6)).
		WithVolumeMounts(
			restricted.Mount("config", configDir, true),
			restricted.Mount("tls", tlsDir, true),
			restricted.Mount("link", linkDir, true),
			restricted.Mount("tmp", "/tmp", false))
	for _, p := range Ports {
		c.WithPorts(containerPort(p.Name, in.BasePort+p.WellKnown))
	}
	return c
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// Service makes the gateways reachable on the well-known ports; nil when the platform wants none.
func (in Input) Service() *corev1ac.ServiceApplyConfiguration {
	kind := in.service()
	if kind == v1alpha1.GatewayServiceNone {
		return nil
	}
	spec := corev1ac.ServiceSpec().
		WithType(corev1.ServiceType(kind)).
		WithSelector(selector())
	if kind == v1alpha1.GatewayServiceLoadBalancer {
		// Keep agents' addresses: they are checked against the networks that are allowed.
		spec.WithExternalTrafficPolicy(corev1.ServiceExternalTrafficPolicyLocal)
	}
	for _, p := range Ports {
		if p.Name == "lmtp" {
			continue // for trusted neighbours only, never for a public address
		}
		spec.WithPorts(corev1ac.ServicePort().WithName(p.Name).WithPort(p.WellKnown).
			WithProtocol(corev1.ProtocolTCP).WithTargetPort(intstr.FromString(p.Name)))
	}
	return corev1ac.Service(naming.Gateway, naming.SystemNamespace).WithLabels(labels()).WithSpec(spec)
}
