package ministry

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/naming"
)

// firstUID is the user id of the first ministry. Those of the machines' own users lie below.
const firstUID = 100_000

// uids gives every ministry a user id of its own. It stands on the ministry's namespace, so it lives as long as the
// data does, also after the ministry was deleted; ids only grow, so that none is given twice.
type uids struct {
	reader client.Reader // the API server itself: a cache may not have seen what was given a moment ago

	mu    sync.Mutex
	next  int64
	known map[string]int64
}

// of returns a ministry's user id and gives it one if it has none.
func (u *uids) of(ctx context.Context, ministry string) (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known == nil {
		if err := u.load(ctx); err != nil {
			return 0, err
		}
	}
	uid, ok := u.known[ministry]
	if !ok {
		uid = u.next
		u.next++
		u.known[ministry] = uid
	}
	return uid, nil
}

// release forgets a ministry whose namespace is gone.
func (u *uids) release(ministry string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.known, ministry)
}

func (u *uids) load(ctx context.Context) error {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := u.reader.List(ctx, &list, client.MatchingLabels{naming.LabelPartOf: naming.PartOf}); err != nil {
		return fmt.Errorf("cannot list namespaces: %w", err)
	}
	known, next := map[string]int64{}, int64(firstUID)
	for i := range list.Items {
		ns := &list.Items[i]
		ministry, ok := naming.MinistryOfNamespace(ns.Name)
		text := ns.Annotations[naming.AnnotationUID]
		if !ok || text == "" {
			continue
		}
		uid, err := strconv.ParseInt(text, 10, 64)
		if err != nil || uid < firstUID {
			return fmt.Errorf("cannot use annotation %s of Namespace %s: found %q; accepted is a number from %d on",
				naming.AnnotationUID, ns.Name, text, firstUID)
		}
		known[ministry] = uid
		next = max(next, uid+1)
	}
	u.known, u.next = known, next
	return nil
}
