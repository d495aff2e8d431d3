package integration

import (
	"strings"
	"testing"

	"gouv.tg/messagerie/api/v1alpha1"
)

func TestRefusals(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("peche", "", "a.b@peche.gouv.tg,A B,,"))
	t.Cleanup(func() { remove(t, "peche", true) })
	declare := func(name, spec string) string {
		return "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Ministry\nmetadata: {name: " + name + "}\nspec:\n" + spec
	}
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"domain of another", declare("peche2", "  domains: [mer.gouv.tg, peche.gouv.tg]"), []string{"spec.domains[1]", "peche.gouv.tg", "Ministry peche"}},
		{"shared domain", declare("peche2", "  domains: [gouv.tg]"), []string{"spec.domains[0]", "share"}},
		{"bad quota", declare("peche2", "  domains: [mer.gouv.tg]\n  quotas: {mailbox: lots}"), []string{"spec.quotas.mailbox"}},
		{"quota above the platform's storage", declare("peche2", "  domains: [mer.gouv.tg]\n  quotas: {mailbox: 1Ti}"), []string{"spec.quotas.mailbox", "10Gi"}},
		{"unknown field", declare("peche2", "  domains: [mer.gouv.tg]\n  sise: Large"), []string{"spec.sise"}},
		{"long name", declare(strings.Repeat("a", 300), "  domains: [mer.gouv.tg]"), []string{"metadata.name"}},
		{"name of 51", declare(strings.Repeat("a", 51), "  domains: [mer.gouv.tg]"), []string{"metadata.name", "50"}},
		{"second platform", "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Platform\nmetadata: {name: other}\nspec: {domain: gouv.tg}", []string{"metadata.name"}},
		{"other shared domain", "apiVersion: messagerie.gouv.tg/v1alpha1\nkind: Platform\nmetadata: {name: platform}\nspec: {domain: gov.tg}", []string{"spec.domain", "cannot change"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := apply(t, c.yaml)
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(err)
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
	if _, err := getMinistry(t.Context(), "peche2"); err == nil {
		t.Error("a refused ministry exists")
	}
	awaitReason(t, "peche", v1alpha1.ConditionReady, v1alpha1.ReasonReady)
}
