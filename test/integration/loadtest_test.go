package integration

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/nullserver"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/operator/naming"
)

// makeLoad is a load worker's Pod: the real worker, with the certificate and the accounts that the Pod mounts. It returns
// at the worker's end.
func (n *node) makeLoad(ctx context.Context, pod *corev1.Pod, address string) (func() error, error) {
	dir, err := os.MkdirTemp("", "loadworker")
	if err != nil {
		return nil, err
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret == nil {
			continue
		}
		var secret corev1.Secret
		if err := n.client.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: v.Secret.SecretName}, &secret); err != nil {
			return nil, err
		}
		for name, data := range secret.Data {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				return nil, err
			}
		}
	}
	config, err := link.ServerConfig(dir, naming.OperatorIdentity)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(naming.PortLoadWorker)))
	if err != nil {
		return nil, err
	}
	return func() error {
		defer os.RemoveAll(dir)
		return distribution.Serve(ctx, listener, distribution.ServerOptions{
			Name: pod.Name, TLS: config, Engine: accountsFrom{distribution.Load, filepath.Join(dir, "accounts.csv")},
		})
	}, nil
}

type accountsFrom struct {
	distribution.Engine
	path string
}

func (e accountsFrom) Prepare(ctx context.Context, in distribution.Input, log *slog.Logger) (distribution.Share, error) {
	f, err := os.Open(e.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if in.Accounts, err = scenario.ReadAccounts(io.LimitReader(f, 1<<20)); err != nil {
		return nil, err
	}
	return e.Engine.Prepare(ctx, in, log)
}

func loadTestYAML(name, target string, seconds int, gate string) string {
	return fmt.Sprintf(`
apiVersion: messagerie.gouv.tg/v1alpha1
kind: LoadTest
metadata: {name: %s, namespace: load}
spec:
  users: 20
  workers: 2
  durationSeconds: %d
  settleSeconds: 0
  streams: [{name: mx, activity: MX, rate: 40}]
  gates: [%q, errors == 0]
  target: {endpoints: [{protocol: SMTP, address: %q}], verification: Insecure}
  accountsFrom: {name: agents}`, name, seconds, gate, target)
}

const loadNamespaceYAML = `
apiVersion: v1
kind: Namespace
metadata: {name: load, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Secret
metadata: {name: agents, namespace: load}
stringData:
  accounts.csv: |
    address,password
    a@gouv.tg,x
    b@gouv.tg,x
    c@gouv.tg,x
    d@gouv.tg,x`

// TestLoadTest has two tests on one target: the first reaches its verdict while the second waits; the second is ended early.
func TestLoadTest(t *testing.T) {
	server, err := nullserver.Start(nullserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	mustApply(t, loadNamespaceYAML)
	target := server.Endpoints()["smtp"]
	if err := apply(t, loadTestYAML("first", target, 3, "fast")); err == nil || !strings.Contains(err.Error(), "spec.gates[0]") {
		t.Errorf("a gate that is none: %v", err)
	}
	mustApply(t, loadTestYAML("first", target, 3, "smtp.mx.p99 < 5s min_count=20"))
	awaitLoad(t, "first", func(lt *v1alpha1.LoadTest) bool { return lt.Status.StartedAt != nil })
	mustApply(t, loadTestYAML("second", target, 3600, "smtp.mx.p99 < 5s"))
	awaitLoad(t, "second", func(lt *v1alpha1.LoadTest) bool {
		return reasonOf(lt, v1alpha1.ConditionReady) == v1alpha1.ReasonTargetBusy
	})

	first := awaitLoad(t, "first", func(lt *v1alpha1.LoadTest) bool { return lt.Status.Verdict != "" })
	if first.Status.Verdict != v1alpha1.LoadVerdictPass || *first.Status.ExitCode != 0 || !meta.IsStatusConditionTrue(first.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("status = %+v", first.Status)
	}
	sent := int64(0)
	for _, o := range first.Status.Summary {
		if o.Operation == "smtp.mx" {
			sent = o.Count
		}
	}
	if sent < 60 || sent > 200 { // 120 on average
		t.Errorf("%d messages were counted: %+v", sent, first.Status.Summary)
	}
	var report corev1.ConfigMap
	if err := world.client.Get(t.Context(), client.ObjectKey{Namespace: "load", Name: first.Status.ReportRef}, &report); err != nil {
		t.Error(err)
	}
	until(t, "Job of the first", func() error {
		var job batchv1.Job
		if err := world.client.Get(t.Context(), client.ObjectKey{Namespace: "load", Name: "first"}, &job); err != nil {
			return err
		}
		if job.Status.Succeeded != 2 {
			return fmt.Errorf("status = %+v", job.Status)
		}
		return nil
	})
	if err := apply(t, loadTestYAML("first", target, 4, "errors == 0")); err == nil {
		t.Error("the spec of a test that has started was changed")
	}

	second := awaitLoad(t, "second", func(lt *v1alpha1.LoadTest) bool {
		return reasonOf(lt, v1alpha1.ConditionReady) == v1alpha1.ReasonRunning
	})
	for _, lt := range []*v1alpha1.LoadTest{second, first} {
		if err := world.client.Delete(t.Context(), lt.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		until(t, "deletion", func() error { return wantGone(t.Context(), lt.DeepCopy()) })
	}
	var pods corev1.PodList
	if err := world.client.List(t.Context(), &pods, client.InNamespace("load")); err != nil || len(pods.Items) != 0 {
		t.Errorf("%d Pods are left, %v", len(pods.Items), err)
	}
	until(t, "report gone", func() error {
		return wantGone(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "load", Name: "first-report"}})
	})
	if err := wantGone(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "load", Name: naming.LoadWorkerSecret}}); err != nil {
		t.Error(err)
	}
}

func reasonOf(lt *v1alpha1.LoadTest, kind string) string {
	if c := meta.FindStatusCondition(lt.Status.Conditions, kind); c != nil {
		return c.Reason
	}
	return ""
}

func awaitLoad(t *testing.T, name string, reached func(*v1alpha1.LoadTest) bool) *v1alpha1.LoadTest {
	t.Helper()
	var lt v1alpha1.LoadTest
	until(t, name, func() error {
		if err := world.client.Get(t.Context(), client.ObjectKey{Namespace: "load", Name: name}, &lt); err != nil {
			return err
		}
		if !reached(&lt) {
			return fmt.Errorf("status = %+v", lt.Status)
		}
		return nil
	})
	return &lt
}
