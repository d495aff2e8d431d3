package environment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gouv.tg/messagerie/cluster/node/objects"
)

var facts = Facts{
	PodIP: "127.80.3.7", HostIP: "127.80.3.1", NodeName: "node-a", ServiceHost: "127.0.0.1", ServicePort: "6443",
	Allocatable: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("8Gi")},
}

func newPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "min-a", Name: "cell-0", UID: "u",
			Labels: map[string]string{"b": "2", "a": "1"}, Annotations: map[string]string{"x.y/z": "v"},
		},
		Spec: corev1.PodSpec{ServiceAccountName: "cell", Containers: []corev1.Container{{
			Name: "cell",
			Resources: corev1.ResourceRequirements{
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")},
				Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")},
			},
		}}},
	}
}

func TestField(t *testing.T) {
	for path, want := range map[string]string{
		"metadata.name": "cell-0", "metadata.namespace": "min-a", "metadata.uid": "u",
		"metadata.labels['a']": "1", "metadata.annotations['x.y/z']": "v", "metadata.labels['no']": "",
		"metadata.labels": "a=\"1\"\nb=\"2\"", "spec.nodeName": "node-a", "spec.serviceAccountName": "cell",
		"status.podIP": "127.80.3.7", "status.hostIP": "127.80.3.1",
	} {
		if got, err := Field(newPod(), facts, path); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := Field(newPod(), facts, "spec.containers"); err == nil {
		t.Error("an unknown field was accepted")
	}
}

func TestResource(t *testing.T) {
	pod := newPod()
	for _, tt := range []struct{ resource, divisor, want string }{
		{"limits.cpu", "", "2"}, {"limits.cpu", "1m", "1500"}, {"requests.memory", "1Mi", "100"},
		{"limits.memory", "1Gi", "8"}, {"requests.cpu", "", "0"},
	} {
		ref := &corev1.ResourceFieldSelector{Resource: tt.resource, ContainerName: "cell"}
		if tt.divisor != "" {
			ref.Divisor = resource.MustParse(tt.divisor)
		}
		if got, err := Resource(pod, nil, facts, ref); err != nil || got != tt.want {
			t.Errorf("%s/%s: got %q, %v, want %q", tt.resource, tt.divisor, got, err, tt.want)
		}
	}
	for _, ref := range []*corev1.ResourceFieldSelector{
		{Resource: "limits.cpu", ContainerName: "other"}, {Resource: "cpu", ContainerName: "cell"}, {Resource: "limits.cpu"},
	} {
		if _, err := Resource(pod, nil, facts, ref); err == nil {
			t.Errorf("%+v was accepted", ref)
		}
	}
}

// fakeGetter holds objects by name.
type fakeGetter map[string]map[string][]byte

func (f fakeGetter) Get(_ context.Context, ref objects.Ref) (*objects.Data, error) {
	values, ok := f[ref.Name]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "x"}, ref.Name)
	}
	return &objects.Data{Values: values}, nil
}

func TestBuild(t *testing.T) {
	get := fakeGetter{"s": {"user": []byte("u"), "pass": []byte("p")}}
	yes := true
	source := func(name, key string, optional *bool) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: optional,
		}}
	}
	c := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{{Prefix: "S_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}},
		Env: []corev1.EnvVar{
			{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "LISTEN", Value: "$(POD_IP):7000 $$(POD_IP) $(NO) $"},
			{Name: "PASS", ValueFrom: source("s", "pass", nil)},
			{Name: "MISSING", ValueFrom: source("no", "k", &yes)},
			{Name: "S_user", Value: "over"},
		},
	}
	v, err := Build(context.Background(), newPod(), c, facts, get)
	if err != nil {
		t.Fatal(err)
	}
	list := v.List()
	for _, want := range []string{
		"HOSTNAME=cell-0", "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=6443", "POD_IP=127.80.3.7",
		"LISTEN=127.80.3.7:7000 $(POD_IP) $(NO) $", "PASS=p", "S_pass=p", "S_user=over",
	} {
		if !slices.Contains(list, want) {
			t.Errorf("no %q in %q", want, list)
		}
	}
	if strings.Contains(strings.Join(list, " "), "MISSING") {
		t.Error("a missing optional key became a variable")
	}
	for _, e := range []corev1.EnvVar{
		{Name: "A", ValueFrom: source("no", "k", nil)}, {Name: "B", ValueFrom: source("s", "k", nil)},
		{Name: "C", ValueFrom: &corev1.EnvVarSource{}},
	} {
		if _, err := Build(context.Background(), newPod(), &corev1.Container{Env: []corev1.EnvVar{e}}, facts, get); err == nil {
			t.Errorf("%s: no error", e.Name)
		} else if !strings.Contains(err.Error(), "env "+e.Name) {
			t.Errorf("%s: the error does not name it: %v", e.Name, err)
		}
	}
	_, err = Build(context.Background(), newPod(), &corev1.Container{Env: []corev1.EnvVar{{Name: "A", ValueFrom: source("no", "k", nil)}}}, facts, get)
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Errorf("the API's error is lost: %v", err)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$(A)$$($")
	v := &Variables{values: map[string]string{"A": "x"}}
	f.Fuzz(func(t *testing.T, text string) {
		if got := v.Expand(text); !strings.Contains(text, "$") && got != text {
			t.Errorf("changed %q to %q", text, got)
		}
	})
}
