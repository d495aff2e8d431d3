// Package apply makes objects what they should be by server-side apply, and asks the API server only when there is
// something to do.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/naming"
)

// Configuration is what the builders return.
type Configuration interface {
	runtime.ApplyConfiguration
	GetName() *string
	GetNamespace() *string
	GetKind() *string
	GetAPIVersion() *string
}

// Applier applies configurations. It remembers what it applied: as long as the configuration is the same and the
// object, as the cache shows it, was not changed by anybody since, nothing is sent. It is safe for concurrent use.
type Applier struct {
	client client.Client

	mu   sync.Mutex
	seen map[key]applied
}

type key struct {
	gvk             schema.GroupVersionKind
	namespace, name string
}

type applied struct {
	digest          [sha256.Size]byte
	uid             types.UID
	generation      int64
	resourceVersion string
}

// New makes an Applier. c must read metadata, and StatefulSets whole, from a cache.
func New(c client.Client) *Applier {
	return &Applier{client: c, seen: map[key]applied{}}
}

// Write makes the object be as configured without asking the cache: for kinds that it does not hold.
func (a *Applier) Write(ctx context.Context, config Configuration) error {
	if err := a.client.Apply(ctx, config, client.FieldOwner(naming.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("cannot apply %s: %w", describe(config), err)
	}
	return nil
}

// Apply makes the object be as configured, taking over fields that somebody else set.
func (a *Applier) Apply(ctx context.Context, config Configuration) error {
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", describe(config), err)
	}
	want := applied{digest: sha256.Sum256(text)}
	k := keyOf(config)
	if unchanged, err := a.unchanged(ctx, k, want.digest); err != nil || unchanged {
		return err
	}
	if err := a.Write(ctx, config); err != nil {
		return err
	}
	// The client decodes the answer into the configuration.
	if text, err = json.Marshal(config); err != nil {
		return fmt.Errorf("cannot encode %s: %w", describe(config), err)
	}
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal(text, &meta); err != nil {
		return fmt.Errorf("cannot decode %s: %w", describe(config), err)
	}
	want.uid, want.generation, want.resourceVersion = meta.UID, meta.Generation, meta.ResourceVersion
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[k] = want
	return nil
}

// unchanged compares with the cache. Kinds with a generation count it up for changes of their spec only; the others
// have no status that would change often.
func (a *Applier) unchanged(ctx context.Context, k key, digest [sha256.Size]byte) (bool, error) {
	a.mu.Lock()
	last, ok := a.seen[k]
	a.mu.Unlock()
	if !ok || last.digest != digest {
		return false, nil
	}
	current := object(k.gvk)
	if err := a.client.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: k.name}, current); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if current.GetUID() != last.uid || current.GetDeletionTimestamp() != nil {
		return false, nil
	}
	if last.generation > 0 {
		return current.GetGeneration() == last.generation, nil
	}
	return current.GetResourceVersion() == last.resourceVersion, nil
}

func object(gvk schema.GroupVersionKind) client.Object {
	if gvk == appsv1.SchemeGroupVersion.WithKind("StatefulSet") {
		return &appsv1.StatefulSet{}
	}
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(gvk)
	return meta
}

func keyOf(c Configuration) key {
	k := key{gvk: schema.FromAPIVersionAndKind(deref(c.GetAPIVersion()), deref(c.GetKind()))}
	k.namespace, k.name = deref(c.GetNamespace()), deref(c.GetName())
	return k
}

func describe(c Configuration) string {
	k := keyOf(c)
	if k.namespace == "" {
		return k.gvk.Kind + " " + k.name
	}
	return k.gvk.Kind + " " + k.namespace + "/" + k.name
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
