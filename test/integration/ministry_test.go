package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

func TestMinistryBecomesReady(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("sante", "  wave: 2", "a.b@sante.gouv.tg,A B,,", "c.d@gouv.tg,C D,,"))
	t.Cleanup(func() { remove(t, "sante", true) })
	m := awaitReady(t, "sante")
	if m.Status.ObservedGeneration != m.Generation || m.Status.Accounts.Served != 2 || m.Status.Cells.Ready != 1 {
		t.Errorf("status = %+v", m.Status)
	}
	if m.Status.UID < 100_000 || m.Status.Namespace != "min-sante" || len(m.Status.Endpoints) != 4 {
		t.Errorf("status = %+v", m.Status)
	}
	if got := world.node.cell("sante").addresses(); !slices.Equal(got, []string{"a.b@sante.gouv.tg", "c.d@gouv.tg"}) {
		t.Errorf("the cell serves %v", got)
	}
	if !slices.ContainsFunc(m.Status.DNSRecords, func(r v1alpha1.DNSRecord) bool {
		return r.Name == "m1-sante._domainkey.sante.gouv.tg" && strings.HasPrefix(r.Data, `"v=DKIM1; k=rsa; p=MII`)
	}) {
		t.Errorf("no DKIM record in %+v", m.Status.DNSRecords)
	}
	var probe corev1.Secret
	if err := world.client.Get(t.Context(), client.ObjectKey{Namespace: "min-sante", Name: v1alpha1.ProbeSecret}, &probe); err != nil {
		t.Fatal(err)
	}
	if string(probe.Data["address"]) != "messagerie-probe@sante.gouv.tg" || len(probe.Data["password"]) < 20 {
		t.Errorf("probe = %s", probe.Data["address"])
	}
}

func TestAccountsFollowTheirSource(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("justice", "", "a.b@justice.gouv.tg,A B,,"))
	t.Cleanup(func() { remove(t, "justice", true) })
	awaitReady(t, "justice")

	mustApply(t, ministryYAML("justice", "", "a.b@justice.gouv.tg,A B,,", "c.d@justice.gouv.tg,C D,,"))
	until(t, "second account", func() error {
		if got := world.node.cell("justice").addresses(); len(got) != 2 {
			return fmt.Errorf("the cell serves %v", got)
		}
		return nil
	})

	// A broken file changes nothing in the cell.
	mustApply(t, ministryYAML("justice", "", "a.b@justice.gouv.tg,A B,,", "x.y@elsewhere.tg,X Y,,"))
	m := awaitReason(t, "justice", v1alpha1.ConditionAccountsReady, v1alpha1.ReasonInvalidAccounts)
	message := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionAccountsReady).Message
	for _, part := range []string{"justice-agents", "agents.csv", "line 3", "column address", "x.y@elsewhere.tg", "justice.gouv.tg, gouv.tg"} {
		if !strings.Contains(message, part) {
			t.Errorf("message %q does not say %q", message, part)
		}
	}
	if !meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionStalled) {
		t.Error("only a person can mend the file, and the ministry is not Stalled")
	}
	if got := world.node.cell("justice").addresses(); len(got) != 2 {
		t.Errorf("the cell serves %v after a broken file", got)
	}

	mustApply(t, ministryYAML("justice", "", "c.d@justice.gouv.tg,C D,,"))
	until(t, "first account gone", func() error {
		if got := world.node.cell("justice").addresses(); !slices.Equal(got, []string{"c.d@justice.gouv.tg"}) {
			return fmt.Errorf("the cell serves %v", got)
		}
		return nil
	})
	awaitReady(t, "justice")
}

func TestSourceMissing(t *testing.T) {
	havePlatform(t)
	yaml := ministryYAML("eau", "", "a.b@eau.gouv.tg,A B,,")
	source, ministry, _ := strings.Cut(yaml, "\n---\n")
	mustApply(t, ministry)
	t.Cleanup(func() { remove(t, "eau", true) })
	awaitReason(t, "eau", v1alpha1.ConditionReady, v1alpha1.ReasonSourceMissing)
	mustApply(t, source)
	awaitReady(t, "eau")
}

func TestAddressClash(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("aa-first", "", "a.b@gouv.tg,A B,,", "first@gouv.tg,F,,"))
	t.Cleanup(func() { remove(t, "aa-first", true) })
	awaitReady(t, "aa-first")
	mustApply(t, ministryYAML("bb-second", "", "a.b@gouv.tg,A B,,", "second@gouv.tg,S,,"))
	t.Cleanup(func() { remove(t, "bb-second", true) })
	m := awaitReason(t, "bb-second", v1alpha1.ConditionAccountsReady, v1alpha1.ReasonAddressClash)
	message := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionAccountsReady).Message
	for _, part := range []string{"a.b@gouv.tg", "aa-first", "bb-second"} {
		if !strings.Contains(message, part) {
			t.Errorf("message %q does not name %s", message, part)
		}
	}
	if got := world.node.cell("bb-second").addresses(); !slices.Equal(got, []string{"second@gouv.tg"}) {
		t.Errorf("the second ministry serves %v", got)
	}
	if got := world.node.cell("aa-first").addresses(); len(got) != 2 {
		t.Errorf("the first ministry serves %v", got)
	}
	for _, name := range []string{"aa-first", "bb-second"} {
		until(t, "event on "+name, func() error { return haveEvent(t, name, v1alpha1.ReasonAddressClash) })
	}
	// When the first gives the address up, the second gets it without being touched.
	mustApply(t, ministryYAML("aa-first", "", "first@gouv.tg,F,,"))
	awaitReady(t, "bb-second")
	if got := world.node.cell("bb-second").addresses(); len(got) != 2 {
		t.Errorf("the second ministry serves %v", got)
	}
}

func haveEvent(t *testing.T, ministry, reason string) error {
	var list eventsv1.EventList
	if err := world.client.List(t.Context(), &list); err != nil {
		return err
	}
	for _, e := range list.Items {
		if e.Regarding.Kind == "Ministry" && e.Regarding.Name == ministry && e.Reason == reason {
			return nil
		}
	}
	return fmt.Errorf("no event %s", reason)
}

func TestPause(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("travail", "", "a.b@travail.gouv.tg,A B,,"))
	t.Cleanup(func() { remove(t, "travail", true) })
	awaitReady(t, "travail")
	mustApply(t, ministryYAML("travail", "  paused: [{reason: moving}]", "a.b@travail.gouv.tg,A B,,"))
	m := awaitReason(t, "travail", v1alpha1.ConditionPaused, v1alpha1.ReasonPaused)
	if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionPaused); c.Message != "moving" {
		t.Errorf("message = %q", c.Message)
	}
	mustApply(t, ministryYAML("travail", "  paused: [{reason: still moving}]", "a.b@travail.gouv.tg,A B,,", "c.d@travail.gouv.tg,C D,,"))
	until(t, "second reason", func() error {
		m, err := getMinistry(t.Context(), "travail")
		if err != nil {
			return err
		}
		if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionPaused); c.Message != "still moving" {
			return fmt.Errorf("message = %q", c.Message)
		}
		return nil
	})
	if got := world.node.cell("travail").addresses(); len(got) != 1 {
		t.Errorf("paused, and the cell serves %v", got)
	}
	mustApply(t, ministryYAML("travail", "  paused: []", "a.b@travail.gouv.tg,A B,,", "c.d@travail.gouv.tg,C D,,"))
	if m := awaitReady(t, "travail"); m.Status.Accounts.Served != 2 {
		t.Errorf("status = %+v", m.Status.Accounts)
	}
}

func TestDriftIsMended(t *testing.T) {
	havePlatform(t)
	mustApply(t, ministryYAML("eaux", "", "a.b@eaux.gouv.tg,A B,,"))
	t.Cleanup(func() { remove(t, "eaux", true) })
	awaitReady(t, "eaux")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "min-eaux", Name: naming.Cell}}
	if err := world.client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	until(t, "service", func() error { return world.client.Get(t.Context(), client.ObjectKeyFromObject(service), service) })
	config := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: "min-eaux", Name: naming.Cell}
	if err := world.client.Get(t.Context(), key, config); err != nil {
		t.Fatal(err)
	}
	want := config.Data["cell.json"]
	config.Data["cell.json"] = "{}"
	if err := world.client.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	until(t, "configuration", func() error {
		if err := world.client.Get(t.Context(), key, config); err != nil {
			return err
		}
		if config.Data["cell.json"] != want {
			return fmt.Errorf("still %s", config.Data["cell.json"])
		}
		return nil
	})
}
