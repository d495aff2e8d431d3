package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"gouv.tg/messagerie/api/v1alpha1"
)

// TestGovernment declares 31 ministries with 70,000 accounts at once. It logs how long that takes, and does not judge it.
func TestGovernment(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./examples/togo/generate", "-accounts", dir)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot generate: %v\n%s", err, out)
	}
	secrets, err := filepath.Glob(filepath.Join(dir, "accounts", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var list v1alpha1.MinistryList
		if err := world.client.List(context.WithoutCancel(t.Context()), &list); err == nil {
			for _, m := range list.Items {
				remove(t, m.Name, true)
			}
		}
	})
	began := time.Now()
	for _, path := range append(slices.Sorted(slices.Values(secrets)), filepath.Join(dir, "government.yaml")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, string(text))
	}
	t.Logf("applied in %s", time.Since(began).Round(time.Millisecond))
	until(t, "government", func() error {
		var list v1alpha1.MinistryList
		if err := world.client.List(t.Context(), &list); err != nil {
			return err
		}
		ready, accounts := 0, 0
		for _, m := range list.Items {
			if meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady) {
				ready++
				accounts += int(m.Status.Accounts.Served)
			}
		}
		if ready != 31 || accounts != 70_000 {
			return fmt.Errorf("%d ministries with %d accounts are ready", ready, accounts)
		}
		return nil
	})
	t.Logf("ready in %s", time.Since(began).Round(time.Millisecond))
	for _, name := range []string{"education", "industrie"} {
		m := awaitReady(t, name)
		if got := len(world.node.cell(name).addresses()); got != int(m.Status.Accounts.Declared) {
			t.Errorf("%s serves %d of %d accounts", name, got, m.Status.Accounts.Declared)
		}
	}
}
