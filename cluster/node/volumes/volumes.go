// Package volumes provides the volumes of Pods as host directories, ready to be bound into containers.
//
// Secret, ConfigMap, downward API and projected volumes are written by the node and refreshed when their sources
// change; emptyDir volumes are directories, or a tmpfs when they ask for memory; claims lead to the directory of a
// local or hostPath PersistentVolume.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/objects"
)

// memoryBytes bounds the file system all Secret and token volumes of a node share. They are never written to disk.
const memoryBytes = 256 << 20

// Volume is one volume of a Pod on the host.
type Volume struct {
	// Path is the host file or directory.
	Path string
	// ReadOnly volumes are bound read-only whatever the mount says.
	ReadOnly bool
}

// Manager provides the volumes of one node's Pods.
type Manager struct {
	pods    string // pods/UID/volumes below it
	memory  string // UID/NAME below it: in memory where possible
	mounted bool
	client  kubernetes.Interface
	objects *objects.Source
	log     *slog.Logger

	// writing keeps two writers of one volume apart: a Pod's start and a refresh may come together. A volume has the
	// lock its name hashes to.
	writing [64]sync.Mutex

	mu     sync.Mutex
	tokens map[tokenKey]*token
}

// lockVolume lets one writer at a volume; the returned function lets the next one in.
func (m *Manager) lockVolume(pod types.UID, name string) (unlock func()) {
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(pod)+"/"+name)
	l := &m.writing[h.Sum32()%uint32(len(m.writing))]
	l.Lock()
	return l.Unlock
}

// New makes a Manager that keeps its data in pods (a directory per Pod) and secrets in memory, mounted at the
// directory memory. Close unmounts it.
func New(pods, memory string, client kubernetes.Interface, source *objects.Source, log *slog.Logger) (*Manager, error) {
	m := &Manager{
		pods: pods, memory: memory, client: client, objects: source, log: log, tokens: make(map[tokenKey]*token),
	}
	for _, dir := range []string{pods, memory} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("cannot create the volumes: %w", err)
		}
	}
	if os.Geteuid() != 0 {
		return m, nil
	}
	if on, err := isMount(memory); err != nil || on {
		m.mounted = on // from an earlier run, with the volumes of Pods that still run
		return m, err
	}
	err := unix.Mount("messagerie-secrets", memory, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
		fmt.Sprintf("mode=0700,size=%d", memoryBytes))
	if err != nil {
		log.Warn("secrets are kept on disk: no tmpfs can be mounted", "error", err)
	}
	m.mounted = err == nil
	return m, nil
}

// Close unmounts the memory volumes; Pods that still run keep theirs.
func (m *Manager) Close() error {
	if !m.mounted {
		return nil
	}
	if err := unix.Unmount(m.memory, unix.MNT_DETACH); err != nil && err != unix.EINVAL { // EINVAL: not mounted any more
		return fmt.Errorf("cannot unmount the secrets: %w", err)
	}
	return nil
}

// isMount says whether something is mounted on dir.
func isMount(dir string) (bool, error) {
	var here, above unix.Stat_t
	if err := unix.Lstat(dir, &here); err != nil {
		return false, fmt.Errorf("cannot inspect %s: %w", dir, err)
	}
	if err := unix.Lstat(filepath.Dir(dir), &above); err != nil {
		return false, fmt.Errorf("cannot inspect %s: %w", dir, err)
	}
	return here.Dev != above.Dev, nil
}

// SetUp provides all volumes of a Pod, by name. It can be repeated: what is there and right is kept. An error is
// usually passing, as when a Secret or a volume does not exist yet; it names the volume.
func (m *Manager) SetUp(ctx context.Context, pod *corev1.Pod, facts environment.Facts) (map[string]Volume, error) {
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		errs    []error
		volumes = make(map[string]Volume, len(pod.Spec.Volumes))
	)
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		wg.Go(func() {
			volume, err := m.setUp(ctx, pod, v, facts)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("volume %s: %w", v.Name, err))
			} else {
				volumes[v.Name] = volume
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return volumes, nil
}

func (m *Manager) setUp(ctx context.Context, pod *corev1.Pod, v *corev1.Volume, facts environment.Facts) (Volume, error) {
	switch {
	case isPayload(v):
		return m.setUpPayload(ctx, pod, v, facts)
	case v.EmptyDir != nil:
		return m.emptyDir(pod, v)
	case v.HostPath != nil:
		return hostPath(v.HostPath.Path, v.HostPath.Type)
	case v.PersistentVolumeClaim != nil:
		claim := v.PersistentVolumeClaim
		return m.claim(ctx, pod, claim.ClaimName, claim.ReadOnly)
	case v.Ephemeral != nil:
		return m.claim(ctx, pod, pod.Name+"-"+v.Name, false)
	}
	return Volume{}, errors.New("its type is not supported; use emptyDir, secret, configMap, downwardAPI, projected, " +
		"hostPath or a claim of a local volume")
}

// Refresh writes the payload volumes of a Pod anew where their sources have changed, and returns when it should be
// called again even if nothing changes; zero: never.
func (m *Manager) Refresh(ctx context.Context, pod *corev1.Pod, facts environment.Facts) (time.Time, error) {
	var errs []error
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if !isPayload(v) {
			continue
		}
		if _, err := m.setUpPayload(ctx, pod, v, facts); err != nil {
			errs = append(errs, fmt.Errorf("volume %s: %w", v.Name, err))
		}
	}
	return m.tokensDue(pod.UID), errors.Join(errs...)
}

// Watch calls changed when an object one of the Pod's volumes comes from changes, until the returned function is
// called.
func (m *Manager) Watch(pod *corev1.Pod, changed func()) (stop func()) {
	var stops []func()
	for _, ref := range Sources(pod) {
		stops = append(stops, m.objects.Watch(ref, changed))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// TearDown removes the data of a Pod's volumes that do not outlive it. Its containers must have ended.
func (m *Manager) TearDown(uid types.UID) error {
	m.forgetTokens(uid)
	base := filepath.Join(m.pods, string(uid), "volumes")
	entries, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the volumes: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(base, e.Name())
		on, err := isMount(dir)
		if err == nil && on {
			err = unix.Unmount(dir, 0)
		}
		if err != nil {
			return fmt.Errorf("cannot remove the volumes: %w", err)
		}
	}
	for _, dir := range []string{base, filepath.Join(m.memory, string(uid))} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cannot remove the volumes: %w", err)
		}
	}
	return nil
}

// emptyDir makes a directory that lives as long as the Pod.
func (m *Manager) emptyDir(pod *corev1.Pod, v *corev1.Volume) (Volume, error) {
	dir := filepath.Join(m.pods, string(pod.UID), "volumes", v.Name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Volume{}, fmt.Errorf("cannot create the volume: %w", err)
	}
	if v.EmptyDir.Medium == corev1.StorageMediumMemory && os.Geteuid() == 0 {
		on, err := isMount(dir)
		if err == nil && !on {
			options := "mode=0777"
			if limit := v.EmptyDir.SizeLimit; limit != nil && !limit.IsZero() {
				options += fmt.Sprintf(",size=%d", limit.Value())
			}
			err = unix.Mount("messagerie-memory", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
		}
		if err != nil {
			return Volume{}, fmt.Errorf("cannot mount the volume: %w", err)
		}
	}
	// Not by MkdirAll: the umask would take part of it.
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm() != 0o777 {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		return Volume{}, fmt.Errorf("cannot create the volume: %w", err)
	}
	if gid := fsGroup(pod); gid >= 0 {
		onMismatch := corev1.FSGroupChangeOnRootMismatch
		return Volume{Path: dir}, giveToGroup(dir, gid, &onMismatch)
	}
	return Volume{Path: dir}, nil
}
