package pods

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// identity is what a container's process may be and do.
type identity struct {
	uid, gid     uint32
	groups       []uint32
	capabilities []uint
	seccomp      bool
	readOnlyRoot bool
}

// identify works out the security context of a container from its own and its Pod's. What cannot be honoured is an
// error, never ignored.
func identify(pod *corev1.Pod, c *corev1.Container) (identity, error) {
	id := identity{seccomp: true}
	podContext, own := pod.Spec.SecurityContext, c.SecurityContext
	if podContext == nil {
		podContext = new(corev1.PodSecurityContext)
	}
	if own == nil {
		own = new(corev1.SecurityContext)
	}
	if err := refuse(pod, own); err != nil {
		return id, err
	}
	uid := first(own.RunAsUser, podContext.RunAsUser)
	if uid != nil {
		id.uid = uint32(*uid)
	}
	if gid := first(own.RunAsGroup, podContext.RunAsGroup); gid != nil {
		id.gid = uint32(*gid)
	}
	if nonRoot := first(own.RunAsNonRoot, podContext.RunAsNonRoot); nonRoot != nil && *nonRoot && id.uid == 0 {
		return id, errors.New("runAsNonRoot is set, but the container would run as root: set runAsUser")
	}
	for _, g := range podContext.SupplementalGroups {
		id.groups = append(id.groups, uint32(g))
	}
	if podContext.FSGroup != nil {
		id.groups = append(id.groups, uint32(*podContext.FSGroup))
	}
	id.readOnlyRoot = own.ReadOnlyRootFilesystem != nil && *own.ReadOnlyRootFilesystem
	if own.Capabilities != nil {
		for _, name := range own.Capabilities.Add {
			if name != "NET_BIND_SERVICE" && name != "CAP_NET_BIND_SERVICE" {
				return id, fmt.Errorf("capability %s is not given to containers; only NET_BIND_SERVICE is", name)
			}
			id.capabilities = []uint{unix.CAP_NET_BIND_SERVICE}
		}
	}
	profile := first(own.SeccompProfile, podContext.SeccompProfile)
	if profile != nil {
		switch profile.Type {
		case corev1.SeccompProfileTypeUnconfined:
			id.seccomp = false
		case corev1.SeccompProfileTypeLocalhost:
			return id, errors.New("seccomp profiles of the node are not supported; use RuntimeDefault")
		}
	}
	return id, nil
}

// refuse names what would break the isolation of containers.
func refuse(pod *corev1.Pod, own *corev1.SecurityContext) error {
	switch {
	case own.Privileged != nil && *own.Privileged:
		return errors.New("privileged containers are not supported")
	case pod.Spec.HostPID:
		return errors.New("hostPID is not supported")
	case pod.Spec.HostIPC:
		return errors.New("hostIPC is not supported")
	case pod.Spec.ShareProcessNamespace != nil && *pod.Spec.ShareProcessNamespace:
		return errors.New("shareProcessNamespace is not supported")
	case pod.Spec.HostUsers != nil && !*pod.Spec.HostUsers:
		return errors.New("user namespaces for Pods are not supported")
	}
	return nil
}

// first returns the first pointer that is set.
func first[T any](pointers ...*T) *T {
	for _, p := range pointers {
		if p != nil {
			return p
		}
	}
	return nil
}
