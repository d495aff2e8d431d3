package integration

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/naming"
)

// patience is how long anything may take before a test gives up on it; nothing is judged by how long it takes.
const patience = time.Minute

func testLogger() logr.Logger {
	return logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil))
}

// apply applies YAML documents as the command line does: server-side and strict.
func apply(t *testing.T, text string) error {
	t.Helper()
	for _, document := range strings.Split(text, "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			t.Fatal(err)
		}
		err := world.client.Patch(t.Context(), o, client.Apply, client.FieldOwner("test"), client.ForceOwnership, //nolint:staticcheck // objects of any kind
			&client.PatchOptions{Raw: &metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict}})
		if err != nil {
			return err
		}
	}
	return nil
}

func mustApply(t *testing.T, text string) {
	t.Helper()
	if err := apply(t, text); err != nil {
		t.Fatal(err)
	}
}

// until asks again and again; the last answer is the failure.
func until(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const platformYAML = `
apiVersion: messagerie.gouv.tg/v1alpha1
kind: Platform
metadata: {name: platform}
spec: {domain: gouv.tg, dns: {addresses: [192.0.2.1]}}`

// havePlatform applies the Platform and waits for it.
func havePlatform(t *testing.T) {
	t.Helper()
	mustApply(t, platformYAML)
	until(t, "platform", func() error {
		var p v1alpha1.Platform
		if err := world.client.Get(t.Context(), client.ObjectKey{Name: v1alpha1.PlatformName}, &p); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) || p.Status.ObservedGeneration != p.Generation {
			return fmt.Errorf("not ready: %+v", p.Status.Conditions)
		}
		return nil
	})
}

func getMinistry(ctx context.Context, name string) (*v1alpha1.Ministry, error) {
	var m v1alpha1.Ministry
	err := world.client.Get(ctx, client.ObjectKey{Name: name}, &m)
	return &m, err
}

// awaitReason waits until a condition has a reason for the newest generation, and returns the ministry.
func awaitReason(t *testing.T, name, condition, reason string) *v1alpha1.Ministry {
	t.Helper()
	var found *v1alpha1.Ministry
	until(t, name, func() error {
		m, err := getMinistry(t.Context(), name)
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(m.Status.Conditions, condition)
		if c == nil || c.Reason != reason || c.ObservedGeneration != m.Generation {
			return fmt.Errorf("want %s with reason %s, have %+v", condition, reason, m.Status.Conditions)
		}
		found = m
		return nil
	})
	return found
}

func awaitReady(t *testing.T, name string) *v1alpha1.Ministry {
	t.Helper()
	return awaitReason(t, name, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
}

// ministryYAML declares a ministry with the accounts of one ConfigMap of the same name.
func ministryYAML(name, more string, rows ...string) string {
	csv := "    address,name,entity,service\n"
	for _, row := range rows {
		csv += "    " + row + "\n"
	}
	return fmt.Sprintf(`
apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s-agents, namespace: messagerie-system}
data:
  agents.csv: |
%[2]s
---
apiVersion: messagerie.gouv.tg/v1alpha1
kind: Ministry
metadata: {name: %[1]s}
spec:
  domains: [%[1]s.gouv.tg]
  accounts: {sources: [{kind: ConfigMap, name: %[1]s-agents}]}
%[3]s`, name, csv, more)
}

// remove deletes a ministry and waits until it is gone, with its namespace too when purge is set.
func remove(t *testing.T, name string, purge bool) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	m := &v1alpha1.Ministry{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := world.client.Delete(ctx, m); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	until(t, "deletion of "+name, func() error { return wantGone(ctx, m) })
	if purge {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(name)}}
		if err := world.client.Delete(ctx, ns); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			t.Error(err)
		}
	}
}

func wantGone(ctx context.Context, o client.Object) error {
	err := world.client.Get(ctx, client.ObjectKeyFromObject(o), o)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is still there: %+v", o.GetName(), o)
}
