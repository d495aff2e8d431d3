package objects

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func secret(version, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "dkim", ResourceVersion: version},
		Data:       map[string][]byte{"key": []byte(value)},
	}
}

var ref = Ref{Kind: Secret, Namespace: "min-a", Name: "dkim"}

func TestGet(t *testing.T) {
	client := fake.NewClientset(secret("1", "a"), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "min-a", Name: "cell"},
		Data:       map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0}},
	})
	s := New(client, slog.New(slog.DiscardHandler))
	data, err := s.Get(context.Background(), ref)
	if err != nil || string(data.Values["key"]) != "a" {
		t.Errorf("got %+v, %v", data, err)
	}
	data, err = s.Get(context.Background(), Ref{Kind: ConfigMap, Namespace: "min-a", Name: "cell"})
	if err != nil || len(data.Values) != 2 {
		t.Errorf("got %+v, %v", data, err)
	}
	if _, err := s.Get(context.Background(), Ref{Kind: Secret, Namespace: "min-a", Name: "no"}); !apierrors.IsNotFound(err) {
		t.Errorf("got %v, want not found", err)
	}
}

func TestGetWaitsForTheAuthorizer(t *testing.T) {
	client := fake.NewClientset(secret("1", "a"))
	var asked atomic.Int32
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		if asked.Add(1) <= 2 {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "dkim", nil)
		}
		return false, nil, nil
	})
	data, err := New(client, slog.New(slog.DiscardHandler)).Get(context.Background(), ref)
	if err != nil || string(data.Values["key"]) != "a" {
		t.Errorf("got %+v, %v", data, err)
	}
}

func TestWatch(t *testing.T) {
	client := fake.NewClientset(secret("1", "a"))
	s := New(client, slog.New(slog.DiscardHandler))
	changes := make(chan struct{}, 10)
	stop := s.Watch(ref, func() { changes <- struct{}{} })
	next := func(what string) {
		t.Helper()
		select {
		case <-changes:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was not told", what)
		}
	}
	next("the first content")
	// The fake's watch begins at an unknown moment after its list; repeat until it is heard.
	heard := false
	for i := 2; i < 100 && !heard; i++ {
		if _, err := client.CoreV1().Secrets("min-a").Update(context.Background(), secret(string(rune('0'+i)), "b"), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changes:
			heard = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	if !heard {
		t.Fatal("a change was not told")
	}
	// While the server is away the last content serves.
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(context.DeadlineExceeded)
	})
	if data, err := s.Get(context.Background(), ref); err != nil || string(data.Values["key"]) != "b" {
		t.Errorf("got %+v, %v", data, err)
	}
	stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watches) != 0 {
		t.Errorf("%d watches are left", len(s.watches))
	}
}
