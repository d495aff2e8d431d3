package admission

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/api/v1alpha1"
)

func TestLoadTests(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*v1alpha1.LoadTestSpec)
		want   []string // none: accepted
	}{
		{"smallest", func(*v1alpha1.LoadTestSpec) {}, nil},
		{"no accounts", func(s *v1alpha1.LoadTestSpec) { s.AccountsFrom = nil }, []string{"spec.accountsFrom: Required"}},
		{"unknown profile", func(s *v1alpha1.LoadTestSpec) { s.Profile = "soak" }, []string{"spec.profile: ", `found "soak"`, "smoke"}},
		{"two gates that are none", func(s *v1alpha1.LoadTestSpec) { s.Gates = []string{"imap.fetch.p99 < 1s", "fast"} }, []string{"spec.gates[1]: "}},
		{"an objective that is none", func(s *v1alpha1.LoadTestSpec) { s.Objectives = []string{"fast"} }, []string{"spec.objectives[0]: "}},
		{"a target that does not do", func(s *v1alpha1.LoadTestSpec) {
			s.Target = &v1alpha1.LoadTarget{Endpoints: []v1alpha1.LoadEndpoint{{Protocol: v1alpha1.ProtocolSMTP, Address: "a:25"}}}
		}, []string{"spec.target.endpoints: ", "imap"}},
		{"two mistakes", func(s *v1alpha1.LoadTestSpec) { s.Workers, s.Gates = 17, []string{"fast"} }, []string{"spec.workers: ", "spec.gates[0]: "}},
	} {
		lt := &v1alpha1.LoadTest{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
		lt.Spec = v1alpha1.LoadTestSpec{Profile: "smoke", AccountsFrom: &v1alpha1.SecretKey{Name: "a", Key: "b"}}
		c.change(&lt.Spec)
		_, err := LoadTests{}.ValidateCreate(t.Context(), lt)
		if len(c.want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		for _, part := range c.want {
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", c.name, err, part)
			}
		}
		lt.DeletionTimestamp = &metav1.Time{}
		if _, err := (LoadTests{}).ValidateUpdate(t.Context(), lt, lt); err != nil {
			t.Errorf("%s: it cannot be deleted: %v", c.name, err)
		}
	}
}
