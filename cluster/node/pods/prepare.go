package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gouv.tg/messagerie/cluster/node/cgroup"
	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/sandbox/spec"
	"gouv.tg/messagerie/cluster/node/volumes"
)

// Limits every container has.
const (
	openFiles = 1 << 20
	maxPIDs   = 16384
)

// waitingError is a reason for a container to wait, as kubectl shows it.
type waitingError struct {
	reason string
	err    error
}

func (e *waitingError) Error() string { return e.err.Error() }
func (e *waitingError) Unwrap() error { return e.err }

func waiting(reason string, err error) error { return &waitingError{reason: reason, err: err} }

// describe builds what podinit needs to become the container.
func (w *worker) describe(ctx context.Context, c *corev1.Container) (*spec.Spec, error) {
	pod := w.pod()
	image, ok := w.m.cfg.Images[c.Image]
	if !ok {
		return nil, waiting("ErrImageNeverPull", fmt.Errorf("image %q is not on this node, and nothing is pulled", c.Image))
	}
	id, err := identify(pod, c)
	if err != nil {
		return nil, waiting("CreateContainerConfigError", err)
	}
	vols, err := w.provideVolumes(ctx)
	if err != nil {
		return nil, waiting("ContainerCreating", err)
	}
	env, err := environment.Build(ctx, pod, c, w.facts(), w.m.cfg.Objects)
	if err != nil {
		return nil, waiting("CreateContainerConfigError", err)
	}
	args := append(env.ExpandAll(c.Command), env.ExpandAll(c.Args)...)
	if len(c.Command) == 0 {
		return nil, waiting("CreateContainerConfigError", errors.New("the container has no command, and images have none here"))
	}
	mounts, err := w.mounts(c, image, vols, env)
	if err != nil {
		return nil, waiting("CreateContainerConfigError", err)
	}
	s := &spec.Spec{
		Hostname: environment.Hostname(pod), Args: args, Env: env.List(), Dir: c.WorkingDir,
		UID: id.uid, GID: id.gid, Groups: id.groups, Capabilities: id.capabilities, Seccomp: id.seccomp,
		OpenFiles: openFiles,
		Root: &spec.Root{
			Staging: w.m.cfg.Launcher.Staging(), Lower: image.Root, ReadOnly: id.readOnlyRoot,
			Mounts: mounts, Files: files(pod, w.facts().PodIP, id, image), Cgroup: w.m.cfg.Cgroups != nil,
		},
	}
	if w.m.cfg.Launcher.Level() == sandbox.LevelPlain {
		return s, plain(s, c, image)
	}
	return s, nil
}

// plain adapts a container to a node without mount namespaces: what needs no mounts can run.
func plain(s *spec.Spec, c *corev1.Container, image Image) error {
	if len(c.VolumeMounts) > 0 {
		return waiting("CreateContainerConfigError", errors.New(
			"volumes cannot be mounted here: run the node as root, or allow unprivileged user namespaces"))
	}
	if host, ok := hostPathOf(image, s.Args[0]); ok {
		s.Args = append([]string{host}, s.Args[1:]...)
	}
	return nil
}

// provideVolumes sets the Pod's volumes up once.
func (w *worker) provideVolumes(ctx context.Context) (map[string]volumes.Volume, error) {
	w.volumesMu.Lock()
	defer w.volumesMu.Unlock()
	if w.volumes != nil {
		return w.volumes, nil
	}
	vols, err := w.m.cfg.Volumes.SetUp(ctx, w.pod(), w.facts())
	if err != nil {
		return nil, err
	}
	w.volumes = vols
	w.update(func(r *podRecord) { r.SandboxReady = true })
	return vols, nil
}

// mounts lists what is bound into the container: the image, the volumes, and the termination message; parents first.
func (w *worker) mounts(c *corev1.Container, image Image, vols map[string]volumes.Volume, env *environment.Variables) ([]spec.Mount, error) {
	var list []spec.Mount
	for target, source := range image.Files {
		list = append(list, spec.Mount{Source: source, Target: target, ReadOnly: true})
	}
	sortByTarget(list)
	var volumeMounts []spec.Mount
	for _, m := range c.VolumeMounts {
		v, ok := vols[m.Name]
		if !ok {
			return nil, fmt.Errorf("mount %s names volume %q, which the Pod does not have", m.MountPath, m.Name)
		}
		sub := m.SubPath
		if m.SubPathExpr != "" {
			sub = env.Expand(m.SubPathExpr)
		}
		target := m.MountPath
		if !path.IsAbs(target) {
			target = path.Join("/", c.WorkingDir, target)
		}
		volumeMounts = append(volumeMounts, spec.Mount{
			Source: v.Path, SubPath: sub, Target: target, ReadOnly: m.ReadOnly || v.ReadOnly,
		})
	}
	if p := c.TerminationMessagePath; p != "" {
		volumeMounts = append(volumeMounts, spec.Mount{Source: w.messagePath(c.Name), Target: p})
	}
	sortByTarget(volumeMounts)
	return append(list, volumeMounts...), nil
}

func sortByTarget(list []spec.Mount) {
	sort.Slice(list, func(i, j int) bool { return path.Clean(list[i].Target) < path.Clean(list[j].Target) })
}

// containerDir holds a container's logs and termination message.
func (w *worker) containerDir(name string) string {
	return filepath.Join(w.m.cfg.Dir, string(w.uid), "containers", name)
}

func (w *worker) messagePath(name string) string {
	return filepath.Join(w.containerDir(name), "termination-message")
}

// prepareDir makes the container's directory and an empty termination message its user may write.
func (w *worker) prepareDir(name string, id identity) error {
	if err := os.MkdirAll(w.containerDir(name), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(w.messagePath(name), nil, 0o640); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(w.messagePath(name), int(id.uid), int(id.gid))
}

// limits translates a container's resources.
func limits(c *corev1.Container) cgroup.Limits {
	return cgroup.Limits{
		MilliCPU:        c.Resources.Limits.Cpu().MilliValue(),
		MilliCPURequest: c.Resources.Requests.Cpu().MilliValue(),
		MemoryBytes:     c.Resources.Limits.Memory().Value(),
		PIDs:            maxPIDs,
	}
}

// startTimeout bounds the preparation of a container: reading objects and building volumes.
const startTimeout = 30 * time.Second
