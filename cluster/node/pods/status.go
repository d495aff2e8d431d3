package pods

import (
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/cluster/node/environment"
)

// status computes the part of a Pod's status the node is responsible for.
func status(r *podRecord, cause stopCause, facts environment.Facts) corev1.PodStatus {
	s := corev1.PodStatus{
		Phase:                 phase(r, cause),
		Conditions:            append([]corev1.PodCondition{}, r.Conditions...),
		HostIP:                facts.HostIP,
		HostIPs:               []corev1.HostIP{{IP: facts.HostIP}},
		StartTime:             &r.StartTime,
		ObservedGeneration:    r.Pod.Generation,
		ContainerStatuses:     statuses(r, r.Pod.Spec.Containers),
		InitContainerStatuses: statuses(r, r.Pod.Spec.InitContainers),
	}
	if r.Address != "" {
		s.PodIP, s.PodIPs = r.Address, []corev1.PodIP{{IP: r.Address}}
	}
	if r.Failed != nil {
		s.Reason, s.Message = r.Failed.Reason, r.Failed.Message
	}
	return s
}

func statuses(r *podRecord, containers []corev1.Container) []corev1.ContainerStatus {
	list := make([]corev1.ContainerStatus, 0, len(containers))
	for i := range containers {
		list = append(list, *r.Containers[containers[i].Name].Status.DeepCopy())
	}
	return list
}

// phase computes the phase as the kubelet does.
func phase(r *podRecord, cause stopCause) corev1.PodPhase {
	if r.Failed != nil {
		return corev1.PodFailed
	}
	for i := range r.Pod.Spec.InitContainers {
		c := &r.Pod.Spec.InitContainers[i]
		if initialized(c, r.Containers[c.Name]) {
			continue
		}
		if r.Containers[c.Name].Done {
			return corev1.PodFailed
		}
		return corev1.PodPending
	}
	ended, succeeded, never := 0, 0, 0
	for i := range r.Pod.Spec.Containers {
		c := r.Containers[r.Pod.Spec.Containers[i].Name]
		if c.Started == 0 && !c.Done {
			never++
		}
		if c.Done {
			ended++
			if t := c.Status.State.Terminated; t != nil && t.ExitCode == 0 {
				succeeded++
			}
		}
	}
	switch all := len(r.Pod.Spec.Containers); {
	case ended == all && succeeded == all:
		return corev1.PodSucceeded
	case ended == all:
		return corev1.PodFailed
	case never > 0 && cause == running:
		return corev1.PodPending
	}
	return corev1.PodRunning
}

// initialized says whether an init container lets the Pod go on.
func initialized(c *corev1.Container, r *containerRecord) bool {
	if isSidecar(c) {
		return r.Status.Started != nil && *r.Status.Started || r.Done
	}
	t := r.Status.State.Terminated
	return r.Done && t != nil && t.ExitCode == 0
}

// conditions computes the Pod's conditions; those that have not changed keep their times.
func conditions(r *podRecord, cause stopCause) []corev1.PodCondition {
	var list []corev1.PodCondition
	add := func(kind corev1.PodConditionType, ok bool, reason, message string) {
		c := corev1.PodCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message,
			LastTransitionTime: metav1.Now().Rfc3339Copy(), ObservedGeneration: r.Pod.Generation,
		}
		if ok {
			c.Status, c.Reason, c.Message = corev1.ConditionTrue, "", ""
		}
		for _, old := range r.Conditions {
			if old.Type == kind && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		list = append(list, c)
	}
	add(corev1.PodReadyToStartContainers, r.SandboxReady, "", "")
	completed := phase(r, cause) == corev1.PodSucceeded
	notDone := missing(r, r.Pod.Spec.InitContainers, initialized)
	add(corev1.PodInitialized, len(notDone) == 0, "ContainersNotInitialized", names("incomplete", notDone))
	notReady := missing(r, r.Pod.Spec.Containers, func(_ *corev1.Container, c *containerRecord) bool { return c.Status.Ready })
	reason, message := "ContainersNotReady", names("unready", notReady)
	if completed {
		reason, message = "PodCompleted", ""
	}
	ready := len(notReady) == 0 && len(notDone) == 0 && !completed
	add(corev1.ContainersReady, ready, reason, message)
	if gate := closedGate(r.Pod); ready && gate != "" {
		ready, reason, message = false, "ReadinessGatesNotReady", fmt.Sprintf("the condition %s is not true", gate)
	}
	add(corev1.PodReady, ready, reason, message)
	return list
}

// missing returns the containers that do not satisfy ok.
func missing(r *podRecord, containers []corev1.Container, ok func(*corev1.Container, *containerRecord) bool) []string {
	var list []string
	for i := range containers {
		if !ok(&containers[i], r.Containers[containers[i].Name]) {
			list = append(list, containers[i].Name)
		}
	}
	sort.Strings(list)
	return list
}

func names(what string, list []string) string {
	return fmt.Sprintf("containers with %s status: [%s]", what, strings.Join(list, " "))
}

// closedGate returns the first readiness gate whose condition, written by others, is not true.
func closedGate(pod *corev1.Pod) corev1.PodConditionType {
	for _, gate := range pod.Spec.ReadinessGates {
		open := false
		for _, c := range pod.Status.Conditions {
			open = open || c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}
		if !open {
			return gate.ConditionType
		}
	}
	return ""
}
