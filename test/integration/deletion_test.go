package integration

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

// stages records the reasons of Ready while a ministry goes.
func stages(t *testing.T, name string) func() []string {
	t.Helper()
	w, err := world.client.Watch(t.Context(), &v1alpha1.MinistryList{}, client.MatchingFields{"metadata.name": name})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []string, 1)
	go func() {
		var seen []string
		for e := range w.ResultChan() {
			m, ok := e.Object.(*v1alpha1.Ministry)
			if !ok || m.DeletionTimestamp == nil {
				continue
			}
			for _, c := range m.Status.Conditions {
				if c.Type == v1alpha1.ConditionReady && (len(seen) == 0 || seen[len(seen)-1] != c.Reason) {
					seen = append(seen, c.Reason)
				}
			}
			if e.Type == "DELETED" {
				break
			}
		}
		done <- seen
	}()
	return func() []string { defer w.Stop(); return <-done }
}

func TestDeletionKeepsTheMail(t *testing.T) {
	havePlatform(t)
	yaml := ministryYAML("culture", "", "a.b@culture.gouv.tg,A B,,")
	mustApply(t, yaml)
	before := awaitReady(t, "culture")
	world.node.cell("culture").setQueue(3)
	seen := stages(t, "culture")
	if err := world.client.Delete(t.Context(), before.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, "culture", v1alpha1.ConditionReady, v1alpha1.ReasonDraining)
	world.node.cell("culture").setQueue(0)
	until(t, "deletion", func() error { return wantGone(t.Context(), before.DeepCopy()) })
	got := seen()
	last := -1
	for _, want := range []string{v1alpha1.ReasonDraining, v1alpha1.ReasonStoppingCell} {
		at := slices.Index(got, want)
		if at <= last {
			t.Errorf("stages = %v, want %s later than the one before", got, want)
		}
		last = at
	}
	var claim corev1.PersistentVolumeClaim
	if err := world.client.Get(t.Context(), client.ObjectKey{Namespace: "min-culture", Name: "data-cell-0"}, &claim); err != nil {
		t.Errorf("the mail is gone: %v", err)
	}
	mustApply(t, yaml)
	t.Cleanup(func() { remove(t, "culture", true) })
	after := awaitReady(t, "culture")
	if after.Status.UID != before.Status.UID {
		t.Errorf("user id was %d and is %d: the mail is not readable", before.Status.UID, after.Status.UID)
	}
	if !slices.Equal(after.Status.DNSRecords, before.Status.DNSRecords) {
		t.Error("the signing key changed")
	}
	var again corev1.PersistentVolumeClaim
	if err := world.client.Get(t.Context(), client.ObjectKeyFromObject(&claim), &again); err != nil || again.UID != claim.UID {
		t.Errorf("the volume claim is another one: %v", err)
	}
}

func TestDeletionRemovesTheMail(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("sports", "  storage: {reclaimPolicy: Delete}", "a.b@sports.gouv.tg,A B,,"))
	awaitReady(t, "sports")
	remove(t, "sports", false)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace("sports")}}
	if err := wantGone(t.Context(), ns); err != nil {
		t.Error(err)
	}
}

func TestUserIDsDiffer(t *testing.T) {
	havePlatform(t)
	seen := map[int64]string{}
	for i := range 6 {
		name := fmt.Sprintf("uid-%d", i)
		mustApply(t, ministryYAML(name, ""))
		t.Cleanup(func() { remove(t, name, true) })
	}
	for i := range 6 {
		m := awaitReady(t, fmt.Sprintf("uid-%d", i))
		if other, ok := seen[m.Status.UID]; ok {
			t.Errorf("%s and %s both run as %d", m.Name, other, m.Status.UID)
		}
		seen[m.Status.UID] = m.Name
	}
}
