// Package pods runs Pods as local processes: it starts their containers in order, probes and restarts them, keeps
// their state on disk so that a new node process finds them again, and stops them.
package pods

import (
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"gouv.tg/messagerie/cluster/node/addresses"
	"gouv.tg/messagerie/cluster/node/cgroup"
	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/volumes"
)

// Image is what a container's root file system is made of. Nothing is pulled: an image is a name for files that are
// already on the machine.
type Image struct {
	// Files maps paths in the container to host files or directories, which are bound read-only.
	Files map[string]string
	// Root is a host directory that becomes the root's content. It is never written to.
	Root string
}

// Backoff paces the restarts of a container that keeps ending: First after the first end, doubled each time up to Max,
// and First again after a run of at least ResetAfter.
type Backoff struct {
	First, Max, ResetAfter time.Duration
}

// delay returns the pause after the given number of ends in a row.
func (b Backoff) delay(crashes int) time.Duration {
	d := b.First
	for i := 1; i < crashes && d < b.Max; i++ {
		d *= 2
	}
	return min(d, b.Max)
}

// Config is what a Manager needs.
type Config struct {
	// Dir holds a directory per Pod, named by its uid.
	Dir string
	// Facts are the same for all Pods; PodIP is filled in for each.
	Facts     environment.Facts
	Launcher  *sandbox.Launcher
	Cgroups   *cgroup.Tree // nil: resources are not limited
	Images    map[string]Image
	Volumes   *volumes.Manager
	Addresses *addresses.Pool
	Objects   environment.Getter
	Recorder  record.EventRecorder
	Backoff   Backoff
	// Changed is called with every change of a Pod's status. It must not block.
	Changed func(Report)
	Logger  *slog.Logger
}

// Report is the state of a Pod at some moment.
type Report struct {
	// Pod is the Pod as last told to the Manager; it must not be changed.
	Pod *corev1.Pod
	// Status holds the fields and conditions the node is responsible for.
	Status corev1.PodStatus
	// Removed: the Pod was deleted, nothing of it is left on the node.
	Removed bool
}
