package node

import (
	"fmt"
	"os"
	"runtime"

	"gouv.tg/messagerie/cluster/node/cgroup"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/sandbox/seccomp"
)

// Capability is something Pods may ask for that depends on the machine.
type Capability struct {
	// Name is also the type of the node's condition.
	Name string
	OK   bool
	// Detail says what was found; Hint, what would change it.
	Detail, Hint string
}

// Capabilities are what this machine allows.
type Capabilities []Capability

// Names of capabilities and node conditions.
const (
	PodIsolation          = "PodIsolation"
	SystemCallFilter      = "SystemCallFilter"
	ResourceLimits        = "ResourceLimits"
	OpenFiles             = "OpenFiles"
	NetworkPolicyEnforced = "NetworkPolicyEnforced"
)

// Probe finds out what this machine allows.
func Probe() Capabilities {
	return Capabilities{probeIsolation(), probeFilter(), probeLimits(), probeFiles(), {
		Name:   NetworkPolicyEnforced,
		Detail: "Pods share the machine's network namespace; NetworkPolicies are not enforced between them",
		Hint:   "services authenticate each other by certificates; use a cluster with a network plugin to also enforce policies",
	}}
}

func probeIsolation() Capability {
	c := Capability{Name: PodIsolation}
	switch sandbox.Best() {
	case sandbox.LevelFull:
		c.OK = true
		c.Detail = "Pods have their own user ids, root file systems, process lists and host names"
	case sandbox.LevelUser:
		c.Detail = "Pods have their own root file systems and process lists, but all run as the user who started the node"
		c.Hint = "run as root to give each Pod its own user id and to run commands in Pods"
	default:
		c.Detail = "Pods are ordinary processes without mounts of their own"
		c.Hint = "run as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
		if os.Geteuid() == 0 {
			c.Hint = "allow CAP_SYS_ADMIN and namespaces; Linux 5.12 or later is needed"
		}
	}
	return c
}

func probeFilter() Capability {
	c := Capability{Name: SystemCallFilter, OK: seccomp.Supported()}
	if c.OK {
		c.Detail = "the seccomp profile RuntimeDefault is enforced"
		return c
	}
	c.Detail = fmt.Sprintf("there is no seccomp filter for %s", runtime.GOARCH)
	c.Hint = "use amd64 or arm64"
	return c
}

func probeLimits() Capability {
	c := Capability{Name: ResourceLimits}
	if os.Geteuid() != 0 {
		c.Detail = "cgroups are only written to by root; Pods' resource limits are not enforced"
		c.Hint = "run as root"
		return c
	}
	if err := cgroup.Check(cgroup.Root); err != nil {
		c.Detail = err.Error() + "; Pods' resource limits are not enforced"
		c.Hint = "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1) and its controllers cpu, memory and pids"
		return c
	}
	c.OK = true
	c.Detail = "processor, memory and process limits are enforced by cgroup v2"
	return c
}

// enoughFiles lets one gateway hold a session of each of 70,000 agents, with a connection on either side.
const enoughFiles = 200_000

func probeFiles() Capability {
	limit := sandbox.MaxOpenFiles()
	c := Capability{
		Name: OpenFiles, OK: limit >= enoughFiles,
		Detail: fmt.Sprintf("a container may have %d files and connections open", limit),
	}
	if !c.OK {
		c.Hint = fmt.Sprintf("raise the hard limit of open files (ulimit -Hn, LimitNOFILE) to %d or more, or allow CAP_SYS_RESOURCE", enoughFiles)
	}
	return c
}
