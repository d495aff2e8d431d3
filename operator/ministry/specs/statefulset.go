package specs

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/restricted"
)

// StatefulSet is the cell: one Pod with one volume, which owns the ministry's mailboxes.
func (in Input) StatefulSet(config string) *appsv1ac.StatefulSetApplyConfiguration {
	selector := naming.Selector(naming.Cell, in.Ministry.Name)
	template := corev1ac.PodTemplateSpec().
		WithLabels(selector).
		WithAnnotations(map[string]string{
			naming.AnnotationDomains: in.DomainsAnnotation(),
			naming.AnnotationConfig:  in.Digest(config),
		}).
		WithSpec(in.podSpec())
	claims := appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
		WithWhenDeleted(appsv1.RetainPersistentVolumeClaimRetentionPolicyType).
		WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	return appsv1ac.StatefulSet(naming.Cell, in.namespace()).
		WithLabels(in.labels()).
		WithSpec(appsv1ac.StatefulSetSpec().
			WithReplicas(1).
			WithServiceName(naming.Cell).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector)).
			WithRevisionHistoryLimit(2).
			WithPersistentVolumeClaimRetentionPolicy(claims).
			WithTemplate(template).
			WithVolumeClaimTemplates(in.claim()))
}

func (in Input) claim() *corev1ac.PersistentVolumeClaimApplyConfiguration {
	claim := corev1ac.PersistentVolumeClaim(naming.DataVolume, "").
		WithLabels(naming.Selector(naming.Cell, in.Ministry.Name)).
		WithSpec(corev1ac.PersistentVolumeClaimSpec().
			WithAccessModes(corev1.ReadWriteOnce).
			WithStorageClassName(in.StorageClass).
			WithResources(corev1ac.VolumeResourceRequirements().
				WithRequests(corev1.ResourceList{corev1.ResourceStorage: in.StorageSize})))
	claim.Namespace = nil // the StatefulSet's own
	return claim
}

func (in Input) podSpec() *corev1ac.PodSpecApplyConfiguration {
	return corev1ac.PodSpec().
		WithServiceAccountName(naming.Cell).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithSecurityContext(restricted.Pod(in.UID)).
		WithTerminationGracePeriodSeconds(30).
		// The volume stays with its node and a mailbox has one owner: a cell waits for its node to come back,
		// and is never started elsewhere because the node is out of sight.
		WithTolerations(
			corev1ac.Toleration().WithKey(corev1.TaintNodeNotReady).WithOperator(corev1.TolerationOpExists).WithEffect(corev1.TaintEffectNoExecute),
			corev1ac.Toleration().WithKey(corev1.TaintNodeUnreachable).WithOperator(corev1.TolerationOpExists).WithEffect(corev1.TaintEffectNoExecute)).
		WithContainers(in.container()).
		WithVolumes(
			restricted.ConfigVolume("config", naming.Cell),
			restricted.SecretVolume("link", naming.CellLink),
			restricted.SecretVolume("dkim", naming.DKIM),
			restricted.Scratch("run", "16Mi"),
			restricted.Scratch("tmp", "256Mi"))
}

func (in Input) container() *corev1ac.ContainerApplyConfiguration {
	size := classOf(in.Ministry.Spec.Size)
	return corev1ac.Container().
		WithName(naming.Cell).
		WithImage(in.Image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithCommand("/stackd").
		WithArgs("cell", "--config", configDir+"/"+configKey).
		WithEnv(restricted.PodAddress(), size.memoryLimit()).
		WithResources(size.requirements()).
		WithSecurityContext(restricted.Container()).
		WithPorts(
			containerPort("link", naming.PortLink),
			containerPort("admin", naming.PortAdmin),
			containerPort("health", naming.PortHealth)).
		// Recovery of a large store may take minutes; until it is done nothing else is asked.
		WithStartupProbe(restricted.Probe("/healthz", "health", 1, 600)).
		WithReadinessProbe(restricted.Probe("/readyz", "health", 1, 2)).
		WithLivenessProbe(restricted.Probe("/healthz", "health", 10, 6)).
		WithVolumeMounts(
			restricted.Mount("config", configDir, true),
			restricted.Mount("link", linkDir, true),
			restricted.Mount("dkim", dkimDir, true),
			restricted.Mount("run", runDir, false),
			restricted.Mount("tmp", "/tmp", false),
			restricted.Mount(naming.DataVolume, dataDir, false))
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}
