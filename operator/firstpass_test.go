package operator

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"gouv.tg/messagerie/api/v1alpha1"
)

func TestFirstPass(t *testing.T) {
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	existing := []client.Object{
		&v1alpha1.Platform{ObjectMeta: metav1.ObjectMeta{Name: "platform"}},
		&v1alpha1.Ministry{ObjectMeta: metav1.ObjectMeta{Name: "a"}},
	}
	for _, c := range []struct {
		name    string
		objects []client.Object
		early   []string // passed before it is known what exists
		late    []string
		told    int
	}{
		{name: "nothing exists", told: 1},
		{name: "one is missing", objects: existing, early: []string{"ministry/a", "ministry/b"}, told: 0},
		{name: "all", objects: existing, early: []string{"ministry/a"}, late: []string{"platform/platform", "ministry/a"}, told: 1},
	} {
		told := 0
		p := newFirstPass(func() { told++ })
		for _, key := range c.early {
			p.passed(key)
		}
		if err := p.expect(t.Context(), fake.NewClientBuilder().WithScheme(scheme).WithObjects(c.objects...).Build()); err != nil {
			t.Fatal(err)
		}
		for _, key := range c.late {
			p.passed(key)
		}
		if told != c.told {
			t.Errorf("%s: told %d times, want %d", c.name, told, c.told)
		}
	}
}
