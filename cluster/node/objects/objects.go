// Package objects reads the Secrets and ConfigMaps that the Pods of a node name, and tells when they change.
//
// The Node authorizer lets a node see an object only once a Pod that names it is bound to the node, and only one at a
// time by name: there is no list to keep an informer on. Each named object is therefore read alone and watched alone,
// as the kubelet does it.
package objects

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// Kind is a kind of object this package reads.
type Kind string

// The kinds.
const (
	Secret    Kind = "Secret"
	ConfigMap Kind = "ConfigMap"
)

// Ref names an object.
type Ref struct {
	Kind      Kind
	Namespace string
	Name      string
}

// String returns the reference for messages.
func (r Ref) String() string { return fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name) }

// Data is the content of a Secret or ConfigMap.
type Data struct {
	// Values are a Secret's data, or a ConfigMap's data and binaryData.
	Values map[string][]byte
	// Version is the object's resource version.
	Version string
	// Immutable objects never change; they need no watch.
	Immutable bool
}

// graphDelay is how long the authorizer may need to learn of a Pod that was just bound.
const graphDelay = 3 * time.Second

// requestTimeout bounds one request.
const requestTimeout = 10 * time.Second

// Source reads objects. The last content of watched objects is remembered and serves while the API server is away.
type Source struct {
	client kubernetes.Interface
	log    *slog.Logger

	mu      sync.Mutex
	watches map[Ref]*watched
}

// New makes a Source.
func New(client kubernetes.Interface, log *slog.Logger) *Source {
	return &Source{client: client, log: log, watches: make(map[Ref]*watched)}
}

// Get reads an object. An object that is forbidden at first is asked for again for a moment, as the authorizer may be
// behind. The error is the API's; use apierrors.IsNotFound on it.
func (s *Source) Get(ctx context.Context, ref Ref) (*Data, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	give := time.Now().Add(graphDelay)
	for pause := 10 * time.Millisecond; ; pause *= 2 {
		data, err := s.read(ctx, ref)
		if err == nil {
			s.remember(ref, data)
			return data, nil
		}
		if apierrors.IsForbidden(err) && time.Now().Before(give) {
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
			}
		}
		if !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
			if data := s.remembered(ref); data != nil {
				return data, nil
			}
		}
		return nil, fmt.Errorf("cannot read %s: %w", ref, err)
	}
}

func (s *Source) read(ctx context.Context, ref Ref) (*Data, error) {
	if ref.Kind == Secret {
		secret, err := s.client.CoreV1().Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return secretData(secret), nil
	}
	configMap, err := s.client.CoreV1().ConfigMaps(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return configMapData(configMap), nil
}

func secretData(o *corev1.Secret) *Data {
	return &Data{Values: o.Data, Version: o.ResourceVersion, Immutable: o.Immutable != nil && *o.Immutable}
}

func configMapData(o *corev1.ConfigMap) *Data {
	values := make(map[string][]byte, len(o.Data)+len(o.BinaryData))
	for k, v := range o.Data {
		values[k] = []byte(v)
	}
	for k, v := range o.BinaryData {
		values[k] = v
	}
	return &Data{Values: values, Version: o.ResourceVersion, Immutable: o.Immutable != nil && *o.Immutable}
}

// remember keeps the content of a watched object.
func (s *Source) remember(ref Ref, data *Data) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watches[ref]; w != nil {
		w.last = data
	}
}

func (s *Source) remembered(ref Ref) *Data {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watches[ref]; w != nil {
		return w.last
	}
	return nil
}

// list returns the version to watch from and, if the object exists, its content.
func (s *Source) list(ctx context.Context, ref Ref) (string, *Data, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", ref.Name).String()}
	if ref.Kind == Secret {
		list, err := s.client.CoreV1().Secrets(ref.Namespace).List(ctx, options)
		if err != nil {
			return "", nil, err
		}
		for i := range list.Items {
			if list.Items[i].Name == ref.Name {
				return list.ResourceVersion, secretData(&list.Items[i]), nil
			}
		}
		return list.ResourceVersion, nil, nil
	}
	list, err := s.client.CoreV1().ConfigMaps(ref.Namespace).List(ctx, options)
	if err != nil {
		return "", nil, err
	}
	for i := range list.Items {
		if list.Items[i].Name == ref.Name {
			return list.ResourceVersion, configMapData(&list.Items[i]), nil
		}
	}
	return list.ResourceVersion, nil, nil
}

func (s *Source) watch(ctx context.Context, ref Ref, version string) (watch.Interface, error) {
	options := metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", ref.Name).String(),
		ResourceVersion: version,
	}
	if ref.Kind == Secret {
		return s.client.CoreV1().Secrets(ref.Namespace).Watch(ctx, options)
	}
	return s.client.CoreV1().ConfigMaps(ref.Namespace).Watch(ctx, options)
}
