// Package environment computes what a container learns about itself and its Pod: environment variables, and the
// values of the downward API.
package environment

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Facts are what a Pod's object does not say.
type Facts struct {
	// PodIP and HostIP are the addresses of the Pod and its node.
	PodIP, HostIP string
	// NodeName is the name of the node.
	NodeName string
	// Allocatable are the node's resources: a container without a limit may use them all.
	Allocatable corev1.ResourceList
	// ServiceHost and ServicePort are where Pods find the API server.
	ServiceHost, ServicePort string
}

// Field returns the value of a fieldRef.
func Field(pod *corev1.Pod, facts Facts, path string) (string, error) {
	if key, ok := subscript(path, "metadata.annotations"); ok {
		return pod.Annotations[key], nil
	}
	if key, ok := subscript(path, "metadata.labels"); ok {
		return pod.Labels[key], nil
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "spec.nodeName":
		return facts.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return facts.HostIP, nil
	case "status.podIP", "status.podIPs":
		return facts.PodIP, nil
	}
	return "", fmt.Errorf("field %q is not available to containers", path)
}

// subscript returns the key of base['key'].
func subscript(path, base string) (string, bool) {
	rest, ok := strings.CutPrefix(path, base+"['")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "']")
}

// formatMap writes a map as the kubelet does in files: key="value", sorted, one a line.
func formatMap(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	lines := make([]string, 0, len(m))
	for _, k := range keys {
		lines = append(lines, fmt.Sprintf("%s=%q", k, m[k]))
	}
	return strings.Join(lines, "\n")
}

// Resource returns the value of a resourceFieldRef, rounded up to the divisor. The container named in the reference
// takes the place of c.
func Resource(pod *corev1.Pod, c *corev1.Container, facts Facts, ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" {
		named := findContainer(pod, ref.ContainerName)
		if named == nil {
			return "", fmt.Errorf("resource %q names container %q, which the Pod does not have", ref.Resource, ref.ContainerName)
		}
		c = named
	}
	if c == nil {
		return "", fmt.Errorf("resource %q names no container", ref.Resource)
	}
	list, name, ok := strings.Cut(ref.Resource, ".")
	var value resource.Quantity
	switch {
	case ok && list == "limits":
		q, set := c.Resources.Limits[corev1.ResourceName(name)]
		if !set {
			q = facts.Allocatable[corev1.ResourceName(name)]
		}
		value = q
	case ok && list == "requests":
		value = c.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("resource %q is neither a limit nor a request", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return ceilDivide(value.MilliValue(), divisor.MilliValue()), nil
	}
	return ceilDivide(value.Value(), divisor.Value()), nil
}

func ceilDivide(value, divisor int64) string {
	if divisor <= 0 {
		divisor = 1
	}
	return strconv.FormatInt(int64(math.Ceil(float64(value)/float64(divisor))), 10)
}

func findContainer(pod *corev1.Pod, name string) *corev1.Container {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i]
		}
	}
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return &pod.Spec.InitContainers[i]
		}
	}
	return nil
}
