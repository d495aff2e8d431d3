package apply

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func config(value string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap("c", "ns").WithData(map[string]string{"key": value})
}

func TestApply(t *testing.T) {
	sent := 0
	var fault error
	c := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			sent++
			if fault != nil {
				return fault
			}
			return c.Apply(ctx, o, opts...)
		},
	})
	a := New(c)
	check := func(step, value string, want int) {
		t.Helper()
		sent = 0
		if err := a.Apply(t.Context(), config(value)); !errors.Is(err, fault) {
			t.Fatalf("%s: %v", step, err)
		}
		if sent != want {
			t.Errorf("%s: %d requests, want %d", step, sent, want)
		}
	}
	check("new", "a", 1)
	check("same", "a", 0)
	check("changed", "b", 1)
	check("same again", "b", 0)

	var object corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "c"}, &object); err != nil {
		t.Fatal(err)
	}
	object.Data["key"] = "by somebody else"
	if err := c.Update(t.Context(), &object); err != nil {
		t.Fatal(err)
	}
	check("drifted", "b", 1)
	check("mended", "b", 0)

	if err := c.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "c"}}); err != nil {
		t.Fatal(err)
	}
	check("deleted", "b", 1)

	fault = errors.New("no connection")
	check("fault", "c", 1)
	fault = nil
	check("after the fault", "c", 1)
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "c"}, &object); err != nil || object.Data["key"] != "c" {
		t.Errorf("object = %v, %v", object.Data, err)
	}
}
