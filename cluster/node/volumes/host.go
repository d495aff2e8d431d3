package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostPath checks a path of the host against its type, and creates it where the type says so.
func hostPath(path string, kind *corev1.HostPathType) (Volume, error) {
	want := corev1.HostPathUnset
	if kind != nil {
		want = *kind
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		switch want {
		case corev1.HostPathDirectoryOrCreate:
			err = os.MkdirAll(path, 0o755)
		case corev1.HostPathFileOrCreate:
			err = os.WriteFile(path, nil, 0o644)
		}
		if err == nil {
			info, err = os.Stat(path)
		}
	}
	if err != nil {
		return Volume{}, fmt.Errorf("cannot use host path: %w", err)
	}
	mode := info.Mode()
	matches := map[corev1.HostPathType]bool{
		corev1.HostPathUnset:             true,
		corev1.HostPathDirectory:         mode.IsDir(),
		corev1.HostPathDirectoryOrCreate: mode.IsDir(),
		corev1.HostPathFile:              mode.IsRegular(),
		corev1.HostPathFileOrCreate:      mode.IsRegular(),
		corev1.HostPathSocket:            mode&os.ModeSocket != 0,
	}
	if !matches[want] {
		return Volume{}, fmt.Errorf("cannot use host path %s: it is not of type %q", path, want)
	}
	return Volume{Path: path}, nil
}

// claim finds the directory behind a claim.
func (m *Manager) claim(ctx context.Context, pod *corev1.Pod, name string, readOnly bool) (Volume, error) {
	pvc, err := retryForbidden(ctx, func(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
		return m.client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	})
	if err != nil {
		return Volume{}, fmt.Errorf("cannot read claim %s: %w", name, err)
	}
	if pvc.Spec.VolumeName == "" || pvc.Status.Phase != corev1.ClaimBound {
		return Volume{}, fmt.Errorf("claim %s is not bound to a volume", name)
	}
	if pvc.DeletionTimestamp != nil && pod.DeletionTimestamp == nil {
		return Volume{}, fmt.Errorf("claim %s is being deleted", name)
	}
	if mode := pvc.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return Volume{}, fmt.Errorf("claim %s has volume mode %s; only Filesystem is supported", name, *mode)
	}
	pv, err := retryForbidden(ctx, func(ctx context.Context) (*corev1.PersistentVolume, error) {
		return m.client.CoreV1().PersistentVolumes().Get(ctx, pvc.Spec.VolumeName, metav1.GetOptions{})
	})
	if err != nil {
		return Volume{}, fmt.Errorf("cannot read volume %s: %w", pvc.Spec.VolumeName, err)
	}
	if pv.Spec.ClaimRef == nil || pv.Spec.ClaimRef.UID != pvc.UID {
		return Volume{}, fmt.Errorf("volume %s belongs to another claim", pv.Name)
	}
	switch {
	case pv.Spec.Local != nil:
		v, err := hostPath(pv.Spec.Local.Path, nil)
		if err == nil {
			err = m.prepareLocal(pod, v.Path)
		}
		v.ReadOnly = readOnly
		return v, err
	case pv.Spec.HostPath != nil:
		v, err := hostPath(pv.Spec.HostPath.Path, pv.Spec.HostPath.Type)
		v.ReadOnly = readOnly
		return v, err
	}
	return Volume{}, fmt.Errorf("volume %s is neither local nor hostPath", pv.Name)
}

func (m *Manager) prepareLocal(pod *corev1.Pod, path string) error {
	var policy *corev1.PodFSGroupChangePolicy
	if sc := pod.Spec.SecurityContext; sc != nil {
		policy = sc.FSGroupChangePolicy
	}
	return giveToGroup(path, fsGroup(pod), policy)
}

// retryForbidden repeats a read that is refused at first: the Node authorizer learns of a Pod a moment after the node.
func retryForbidden[T any](ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	give := time.Now().Add(3 * time.Second)
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		value, err := read(ctx)
		if !apierrors.IsForbidden(err) || time.Now().After(give) {
			return value, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return value, err
		}
	}
}
