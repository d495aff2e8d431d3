package ministry

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"gouv.tg/messagerie/operator/naming"
)

func namespace(ministry, uid string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: naming.Namespace(ministry), Labels: map[string]string{naming.LabelPartOf: naming.PartOf},
		Annotations: map[string]string{naming.AnnotationUID: uid},
	}}
}

func TestUIDs(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(namespace("old", "100004"), namespace("older", "100001")).Build()
	u := &uids{reader: c}
	if uid, err := u.of(t.Context(), "old"); err != nil || uid != 100004 {
		t.Errorf("the id of a namespace that is there = %d, %v", uid, err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]bool{100001: true, 100004: true}
	for i := range 50 {
		group.Go(func() {
			uid, err := u.of(t.Context(), "new"+strconv.Itoa(i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[uid] || uid < firstUID {
				t.Errorf("id %d is given twice, or %v", uid, err)
			}
			seen[uid] = true
		})
	}
	group.Wait()
	first, err := u.of(t.Context(), "new0")
	if again, err2 := u.of(t.Context(), "new0"); err != nil || err2 != nil || again != first {
		t.Errorf("the id of one ministry was %d and is %d", first, again)
	}
	u.release("new0")
	if uid, err := u.of(t.Context(), "new0"); err != nil || seen[uid] {
		t.Errorf("a released id is given again: %d, %v", uid, err)
	}
}

func TestUIDsThatMakeNoSense(t *testing.T) {
	for _, text := range []string{"0", "65532", "x", "-100000"} {
		u := &uids{reader: fake.NewClientBuilder().WithObjects(namespace("a", text)).Build()}
		if uid, err := u.of(t.Context(), "b"); err == nil {
			t.Errorf("annotation %q was accepted, and b got %s", text, fmt.Sprint(uid))
		}
	}
}
