package environment

import (
	"context"
	"fmt"
	"sort"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"gouv.tg/messagerie/cluster/node/objects"
)

// Getter reads Secrets and ConfigMaps; *objects.Source is one.
type Getter interface {
	Get(ctx context.Context, ref objects.Ref) (*objects.Data, error)
}

// Variables are the environment of one container, in the order they are defined.
type Variables struct {
	names  []string
	values map[string]string
}

// List returns the variables as NAME=value.
func (v *Variables) List() []string {
	list := make([]string, 0, len(v.names))
	for _, name := range v.names {
		list = append(list, name+"="+v.values[name])
	}
	return list
}

func (v *Variables) set(name, value string) {
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

// Build computes the environment of container c: what every container has, then envFrom, then env, each overriding
// what is before it. An error names the variable; it is usually passing, as when a Secret does not exist yet.
func Build(ctx context.Context, pod *corev1.Pod, c *corev1.Container, facts Facts, get Getter) (*Variables, error) {
	v := &Variables{values: make(map[string]string)}
	v.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	v.set("HOSTNAME", Hostname(pod))
	v.set("HOME", "/")
	v.set("KUBERNETES_SERVICE_HOST", facts.ServiceHost)
	v.set("KUBERNETES_SERVICE_PORT", facts.ServicePort)
	v.set("KUBERNETES_SERVICE_PORT_HTTPS", facts.ServicePort)
	for i := range c.EnvFrom {
		if err := v.addFrom(ctx, pod.Namespace, &c.EnvFrom[i], get); err != nil {
			return nil, err
		}
	}
	for i := range c.Env {
		if err := v.add(ctx, pod, c, facts, &c.Env[i], get); err != nil {
			return nil, fmt.Errorf("env %s: %w", c.Env[i].Name, err)
		}
	}
	return v, nil
}

// Hostname returns a Pod's host name.
func Hostname(pod *corev1.Pod) string {
	name := pod.Spec.Hostname
	if name == "" {
		name = pod.Name
	}
	const longest = 63 // Linux allows 64
	return name[:min(len(name), longest)]
}

// addFrom adds every key of a Secret or ConfigMap.
func (v *Variables) addFrom(ctx context.Context, namespace string, from *corev1.EnvFromSource, get Getter) error {
	var ref objects.Ref
	var optional *bool
	switch {
	case from.SecretRef != nil:
		ref = objects.Ref{Kind: objects.Secret, Namespace: namespace, Name: from.SecretRef.Name}
		optional = from.SecretRef.Optional
	case from.ConfigMapRef != nil:
		ref = objects.Ref{Kind: objects.ConfigMap, Namespace: namespace, Name: from.ConfigMapRef.Name}
		optional = from.ConfigMapRef.Optional
	default:
		return nil
	}
	data, err := get.Get(ctx, ref)
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil
	}
	if err != nil {
		return fmt.Errorf("envFrom: %w", err)
	}
	keys := make([]string, 0, len(data.Values))
	for k := range data.Values {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		// Keys no shell could name are left out, as with the kubelet.
		if name := from.Prefix + k; len(validation.IsRelaxedEnvVarName(name)) == 0 {
			v.set(name, string(data.Values[k]))
		}
	}
	return nil
}

// add adds one variable.
func (v *Variables) add(ctx context.Context, pod *corev1.Pod, c *corev1.Container, facts Facts, e *corev1.EnvVar, get Getter) error {
	from := e.ValueFrom
	if from == nil {
		v.set(e.Name, v.Expand(e.Value))
		return nil
	}
	switch {
	case from.FieldRef != nil:
		value, err := Field(pod, facts, from.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		v.set(e.Name, value)
		return nil
	case from.ResourceFieldRef != nil:
		value, err := Resource(pod, c, facts, from.ResourceFieldRef)
		if err != nil {
			return err
		}
		v.set(e.Name, value)
		return nil
	case from.SecretKeyRef != nil:
		r := from.SecretKeyRef
		return v.addKey(ctx, e.Name, objects.Ref{Kind: objects.Secret, Namespace: pod.Namespace, Name: r.Name}, r.Key, r.Optional, get)
	case from.ConfigMapKeyRef != nil:
		r := from.ConfigMapKeyRef
		return v.addKey(ctx, e.Name, objects.Ref{Kind: objects.ConfigMap, Namespace: pod.Namespace, Name: r.Name}, r.Key, r.Optional, get)
	}
	return fmt.Errorf("its source is not supported; use fieldRef, resourceFieldRef, secretKeyRef or configMapKeyRef")
}

func (v *Variables) addKey(ctx context.Context, name string, ref objects.Ref, key string, optional *bool, get Getter) error {
	may := optional != nil && *optional
	data, err := get.Get(ctx, ref)
	if apierrors.IsNotFound(err) && may {
		return nil
	}
	if err != nil {
		return err
	}
	value, ok := data.Values[key]
	if !ok && !may {
		return fmt.Errorf("%s has no key %q", ref, key)
	}
	if ok {
		v.set(name, string(value))
	}
	return nil
}
