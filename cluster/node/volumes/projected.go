package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/objects"
)

// defaultMode is what the API server fills in when a volume does not say.
const defaultMode = 0o644

// isPayload says whether the node writes the volume's content.
func isPayload(v *corev1.Volume) bool {
	return v.Secret != nil || v.ConfigMap != nil || v.DownwardAPI != nil || v.Projected != nil
}

// Sources returns the objects a Pod's volumes come from.
func Sources(pod *corev1.Pod) []objects.Ref {
	seen := make(map[objects.Ref]bool)
	var refs []objects.Ref
	add := func(kind objects.Kind, name string) {
		ref := objects.Ref{Kind: kind, Namespace: pod.Namespace, Name: name}
		if !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		switch {
		case v.Secret != nil:
			add(objects.Secret, v.Secret.SecretName)
		case v.ConfigMap != nil:
			add(objects.ConfigMap, v.ConfigMap.Name)
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					add(objects.Secret, s.Secret.Name)
				}
				if s.ConfigMap != nil {
					add(objects.ConfigMap, s.ConfigMap.Name)
				}
			}
		}
	}
	return refs
}

// setUpPayload writes one payload volume.
func (m *Manager) setUpPayload(ctx context.Context, pod *corev1.Pod, v *corev1.Volume, facts environment.Facts) (Volume, error) {
	// From reading to writing, so that an older content never replaces a newer one.
	defer m.lockVolume(pod.UID, v.Name)()
	content, err := m.content(ctx, pod, v, facts)
	if err != nil {
		return Volume{}, err
	}
	parent := filepath.Join(m.memory, string(pod.UID))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return Volume{}, fmt.Errorf("cannot create the volume: %w", err)
	}
	dir := filepath.Join(parent, v.Name)
	if err := writePayload(dir, content, fsGroup(pod)); err != nil {
		return Volume{}, err
	}
	return Volume{Path: dir, ReadOnly: true}, nil
}

// content collects what a payload volume holds.
func (m *Manager) content(ctx context.Context, pod *corev1.Pod, v *corev1.Volume, facts environment.Facts) (payload, error) {
	out := make(payload)
	switch {
	case v.Secret != nil:
		s := v.Secret
		ref := objects.Ref{Kind: objects.Secret, Namespace: pod.Namespace, Name: s.SecretName}
		return out, m.addObject(ctx, out, ref, s.Items, s.Optional, s.DefaultMode)
	case v.ConfigMap != nil:
		c := v.ConfigMap
		ref := objects.Ref{Kind: objects.ConfigMap, Namespace: pod.Namespace, Name: c.Name}
		return out, m.addObject(ctx, out, ref, c.Items, c.Optional, c.DefaultMode)
	case v.DownwardAPI != nil:
		return out, addDownward(out, pod, facts, v.DownwardAPI.Items, v.DownwardAPI.DefaultMode)
	}
	for i := range v.Projected.Sources {
		if err := m.addProjection(ctx, out, pod, v, i, facts); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addProjection adds one source of a projected volume.
func (m *Manager) addProjection(ctx context.Context, out payload, pod *corev1.Pod, v *corev1.Volume, i int, facts environment.Facts) error {
	source, mode := &v.Projected.Sources[i], v.Projected.DefaultMode
	switch {
	case source.Secret != nil:
		ref := objects.Ref{Kind: objects.Secret, Namespace: pod.Namespace, Name: source.Secret.Name}
		return m.addObject(ctx, out, ref, source.Secret.Items, source.Secret.Optional, mode)
	case source.ConfigMap != nil:
		ref := objects.Ref{Kind: objects.ConfigMap, Namespace: pod.Namespace, Name: source.ConfigMap.Name}
		return m.addObject(ctx, out, ref, source.ConfigMap.Items, source.ConfigMap.Optional, mode)
	case source.DownwardAPI != nil:
		return addDownward(out, pod, facts, source.DownwardAPI.Items, mode)
	case source.ServiceAccountToken != nil:
		value, err := m.token(ctx, pod, v.Name, source.ServiceAccountToken)
		if err != nil {
			return err
		}
		out[source.ServiceAccountToken.Path] = tokenFile(pod, value, mode)
		return nil
	}
	return errors.New("a projected source is not supported; use secret, configMap, downwardAPI or serviceAccountToken")
}

// addObject adds all keys of a Secret or ConfigMap, or those in items under the paths given there.
func (m *Manager) addObject(ctx context.Context, out payload, ref objects.Ref, items []corev1.KeyToPath, optional *bool, mode *int32) error {
	may := optional != nil && *optional
	data, err := m.objects.Get(ctx, ref)
	if apierrors.IsNotFound(err) && may {
		return nil
	}
	if err != nil {
		return err
	}
	if len(items) == 0 {
		for key, value := range data.Values {
			out[key] = file{data: value, mode: fileMode(nil, mode), uid: -1}
		}
		return nil
	}
	for _, item := range items {
		value, ok := data.Values[item.Key]
		if !ok && may {
			continue
		}
		if !ok {
			return fmt.Errorf("%s has no key %q", ref, item.Key)
		}
		out[item.Path] = file{data: value, mode: fileMode(item.Mode, mode), uid: -1}
	}
	return nil
}

// addDownward adds files of the downward API.
func addDownward(out payload, pod *corev1.Pod, facts environment.Facts, items []corev1.DownwardAPIVolumeFile, mode *int32) error {
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = environment.Field(pod, facts, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = environment.Resource(pod, nil, facts, item.ResourceFieldRef)
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", item.Path, err)
		}
		out[item.Path] = file{data: []byte(value), mode: fileMode(item.Mode, mode), uid: -1}
	}
	return nil
}

// fileMode returns the mode of a file: its own, else the volume's, else the default.
func fileMode(own, volume *int32) os.FileMode {
	switch {
	case own != nil:
		return os.FileMode(*own).Perm()
	case volume != nil:
		return os.FileMode(*volume).Perm()
	}
	return defaultMode
}
