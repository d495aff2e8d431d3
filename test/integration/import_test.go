package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/operator/accounts"
	"gouv.tg/messagerie/operator/naming"
)

// TestImport brings accounts beside those of a source that was declared, twice.
func TestImport(t *testing.T) {
	havePlatform(t)
	yaml := ministryYAML("mines", "", "a.b@mines.gouv.tg,A B,,")
	mustApply(t, yaml)
	t.Cleanup(func() { remove(t, "mines", true) })
	awaitReady(t, "mines")
	load := func(local string) {
		csv := "address,name,entity,service,password\n" + local + "@gouv.tg,X,,,correct horse\n"
		n, err := accounts.Import(t.Context(), world.client, "mines", strings.NewReader(csv))
		if err != nil || n != 1 {
			t.Fatalf("%d accounts, %v", n, err)
		}
		want := []string{"a.b@mines.gouv.tg", local + "@gouv.tg"}
		until(t, local, func() error {
			if got := world.node.cell("mines").addresses(); !slices.Equal(got, want) {
				return fmt.Errorf("the cell serves %v, want %v", got, want)
			}
			return nil
		})
	}
	load("first.import")
	load("second.import")
	// Applying the declaration again does not undo the import.
	mustApply(t, yaml)
	if m := awaitReady(t, "mines"); len(m.Spec.Accounts.Sources) != 2 || m.Status.Accounts.Served != 2 {
		t.Errorf("sources = %v, accounts = %+v", m.Spec.Accounts.Sources, m.Status.Accounts)
	}
	var list corev1.SecretList
	if err := world.client.List(t.Context(), &list, client.InNamespace(naming.SystemNamespace), client.MatchingLabels{naming.LabelImport: "mines"}); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 {
		t.Errorf("%d Secrets of imports, want that of the last", len(list.Items))
	}
	_, err := accounts.Import(t.Context(), world.client, "mines", strings.NewReader("address,name,entity,service\nx@elsewhere.tg,X,,\n"))
	if err == nil || !strings.Contains(err.Error(), "line 2, column address") {
		t.Errorf("error = %v", err)
	}
}
