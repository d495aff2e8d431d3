package loadtest

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/operator/naming"
)

func TestStepByStep(t *testing.T) {
	w := newWorld(t, declared("mx"))
	begin(t, w, "mx")
	lt := w.get(t, "mx")
	if lt.Status.LoadStartedAt == nil || lt.Status.Workers != (v1alpha1.ReplicaCount{Ready: 2, Total: 2}) || lt.Status.ObservedGeneration != 0 {
		t.Errorf("status = %+v", lt.Status)
	}
	if in := w.worker(1).input; in.Worker != 1 || in.Workers != 2 || len(in.Accounts) != 0 || in.Scenario.Targets["smtp"] != "192.0.2.1:25" || len(in.CA) == 0 {
		t.Errorf("input = %+v", in)
	}
	if _, result, err := w.pass(t, "mx"); err != nil || result.RequeueAfter == 0 || result.RequeueAfter > whileRunning {
		t.Errorf("while there is load: %+v, %v", result, err)
	}
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, 20*time.Millisecond)
	lt, _, err := w.pass(t, "mx")
	if err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictPass || *lt.Status.ExitCode != 0 || reason(lt, v1alpha1.ConditionReady) != v1alpha1.ReasonPassed {
		t.Fatalf("status = %+v, %v", lt.Status, err)
	}
	if !meta.IsStatusConditionTrue(lt.Status.Conditions, v1alpha1.ConditionFinished) || lt.Status.ObservedGeneration != 1 || lt.Status.FinishedAt == nil {
		t.Errorf("status = %+v", lt.Status)
	}
	if s := lt.Status.Summary; len(s) != 1 || s[0].Operation != "smtp.mx" || s[0].Count != 40 || s[0].P99 < 0.019 || s[0].P99 > 0.021 {
		t.Errorf("summary = %+v", s)
	}
	if g := lt.Status.Gates; len(g) != 1 || g[0].Result != v1alpha1.GatePassed {
		t.Errorf("gates = %+v", g)
	}
	var config corev1.ConfigMap
	if err := w.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "tests", Name: lt.Status.ReportRef}, &config); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.json", "report.html", "junit.xml", "metrics.prom"} {
		if config.Data[name] == "" && config.BinaryData[name+".gz"] == nil {
			t.Errorf("no %s", name)
		}
	}
	if w.worker(0).closed {
		t.Error("the workers were closed before the verdict was there")
	}
	if _, _, err := w.pass(t, "mx"); err != nil || !w.worker(0).closed || !w.worker(1).closed {
		t.Errorf("the workers were not closed: %v", err)
	}
}

// TestAnotherOperatorGoesOn has a new operator at every pass.
func TestAnotherOperatorGoesOn(t *testing.T) {
	w := newWorld(t, declared("mx"))
	authority := w.Authority
	again := func() (*v1alpha1.LoadTest, error) {
		w.Reconciler = w.operator(authority)
		lt, _, err := w.pass(t, "mx")
		return lt, err
	}
	if _, err := again(); err != nil {
		t.Fatal(err)
	}
	w.pods(t, "mx", 2)
	for range 3 {
		if _, err := again(); err != nil {
			t.Fatal(err)
		}
	}
	at := w.worker(0).state.At
	if at.IsZero() || !w.worker(1).state.At.Equal(at) {
		t.Fatalf("began at %s and %s", at, w.worker(1).state.At)
	}
	w.worker(0).done(20, 10*time.Millisecond)
	if lt, err := again(); err != nil || lt.Status.Verdict != "" || !w.worker(1).state.At.Equal(at) {
		t.Errorf("one of two is done: %+v, %v", lt.Status, err)
	}
	w.worker(1).done(20, 10*time.Millisecond)
	if lt, err := again(); err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictPass || lt.Status.Summary[0].Count != 40 {
		t.Errorf("status = %+v, %v", lt.Status, err)
	}
}

func TestFailedGate(t *testing.T) {
	w := newWorld(t, declared("mx"))
	begin(t, w, "mx")
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, time.Second)
	lt, _, err := w.pass(t, "mx")
	if err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictFail || *lt.Status.ExitCode != 99 || reason(lt, v1alpha1.ConditionStalled) != v1alpha1.ReasonGatesFailed {
		t.Fatalf("status = %+v, %v", lt.Status, err)
	}
	for range 3 {
		if lt, _, err = w.pass(t, "mx"); err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictFail {
			t.Errorf("status = %+v, %v", lt.Status, err)
		}
	}
	if w.worker(0).state.At != w.worker(1).state.At {
		t.Error("something was started again")
	}
}

func TestWorkerDies(t *testing.T) {
	w := newWorld(t, declared("mx"))
	begin(t, w, "mx")
	w.worker(0).done(20, 10*time.Millisecond)
	var pod corev1.Pod
	if err := w.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "tests", Name: "mx-1"}, &pod); err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase = corev1.PodFailed
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}}
	if err := w.WithWatch.Status().Update(t.Context(), &pod); err != nil {
		t.Fatal(err)
	}
	w.Reconciler = w.operator(w.Authority) // nor does another operator take it for running
	lt, _, err := w.pass(t, "mx")
	message := meta.FindStatusCondition(lt.Status.Conditions, v1alpha1.ConditionReady).Message
	if err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictInvalid || *lt.Status.ExitCode != 98 || !strings.Contains(message, "worker-1: its Pod ended with code 137: OOMKilled") {
		t.Errorf("status = %+v, %v", lt.Status, err)
	}
	if len(lt.Status.Summary) != 1 || lt.Status.Summary[0].Count != 20 {
		t.Errorf("what the other measured is lost: %+v", lt.Status.Summary)
	}
}

func TestPodsThatDoNotRun(t *testing.T) {
	lt := declared("mx")
	w := newWorld(t, lt)
	if _, _, err := w.pass(t, "mx"); err != nil {
		t.Fatal(err)
	}
	got := w.get(t, "mx")
	long := metav1.NewTime(time.Now().Add(-time.Hour))
	got.Status.StartedAt = &long
	if err := w.WithWatch.Status().Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	got, _, err := w.pass(t, "mx")
	if err != nil || got.Status.Verdict != v1alpha1.LoadVerdictInvalid {
		t.Fatalf("status = %+v, %v", got.Status, err)
	}
	if c := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionFinished); !strings.Contains(c.Message, "worker-0: it did not run within 10m") {
		t.Errorf("message = %q", c.Message)
	}
	if got.Status.ReportRef == "" {
		t.Error("there is no report")
	}
}

func TestOneAtATime(t *testing.T) {
	first, second, third := declared("a"), declared("b"), declared("c")
	third.Spec.Target.Endpoints[0].Address = "192.0.2.2:25"
	w := newWorld(t, first, second, third)
	begin(t, w, "a")
	lt, _, err := w.pass(t, "b")
	if err != nil || reason(lt, v1alpha1.ConditionReady) != v1alpha1.ReasonTargetBusy || lt.Status.StartedAt != nil {
		t.Errorf("two on one target: %+v, %v", lt.Status, err)
	}
	if lt, _, err := w.pass(t, "c"); err != nil || lt.Status.StartedAt == nil {
		t.Errorf("another target: %+v, %v", lt.Status, err)
	}
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, 10*time.Millisecond)
	if _, _, err := w.pass(t, "a"); err != nil {
		t.Fatal(err)
	}
	if lt, _, err := w.pass(t, "b"); err != nil || lt.Status.StartedAt == nil {
		t.Errorf("the target is free: %+v, %v", lt.Status, err)
	}
}

func TestBlocks(t *testing.T) {
	platform := &v1alpha1.Platform{}
	platform.Status.Endpoints = []v1alpha1.Endpoint{{Protocol: v1alpha1.ProtocolSMTP, Addresses: []string{"192.0.2.1:25"}}}
	now := metav1.Now()
	for _, c := range []struct {
		name   string
		change func(other, lt *v1alpha1.LoadTest)
		want   bool
	}{
		{"older and waits", func(_, _ *v1alpha1.LoadTest) {}, true},
		{"older and paused", func(o, _ *v1alpha1.LoadTest) { o.Spec.Paused = []v1alpha1.Pause{{Reason: "x"}} }, false},
		{"younger", func(o, _ *v1alpha1.LoadTest) { o.Name = "z" }, false},
		{"younger and runs", func(o, _ *v1alpha1.LoadTest) { o.Name, o.Status.StartedAt = "z", &now }, true},
		{"has finished", func(o, _ *v1alpha1.LoadTest) { o.Status.StartedAt, o.Status.FinishedAt = &now, &now }, false},
		{"one allows", func(o, _ *v1alpha1.LoadTest) {
			o.Status.StartedAt, o.Spec.Concurrency = &now, v1alpha1.LoadConcurrencyAllow
		}, true},
		{"both allow", func(o, lt *v1alpha1.LoadTest) {
			o.Status.StartedAt, o.Spec.Concurrency, lt.Spec.Concurrency = &now, v1alpha1.LoadConcurrencyAllow, v1alpha1.LoadConcurrencyAllow
		}, false},
		{"the platform by address", func(o, _ *v1alpha1.LoadTest) { o.Spec.Target = nil }, true},
		{"both the platform", func(o, lt *v1alpha1.LoadTest) { o.Spec.Target, lt.Spec.Target = nil, nil }, true},
	} {
		other, lt := declared("a"), declared("b")
		c.change(other, lt)
		if got := blocks(other, lt, platform); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestDeletionStopsTheLoad(t *testing.T) {
	w := newWorld(t, declared("mx"))
	begin(t, w, "mx")
	if !slices.Contains(w.get(t, "mx").Finalizers, naming.Finalizer) {
		t.Fatal("no finalizer")
	}
	if err := w.WithWatch.Delete(t.Context(), declared("mx")); err != nil {
		t.Fatal(err)
	}
	lt, _, err := w.pass(t, "mx")
	if err != nil || reason(lt, v1alpha1.ConditionReady) != v1alpha1.ReasonStoppingWorkers {
		t.Errorf("while Pods stop: %+v, %v", lt.Status, err)
	}
	var job batchv1.Job
	if err := w.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "tests", Name: "mx"}, &job); err == nil {
		t.Error("the Job is still there")
	}
	if err := w.WithWatch.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace("tests")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "tests", Name: "mx"}}); err != nil {
		t.Fatal(err)
	}
	var secrets corev1.SecretList
	if err := w.WithWatch.List(t.Context(), &secrets, client.InNamespace("tests")); err != nil || len(secrets.Items) != 0 {
		t.Errorf("left behind: %d Secrets, %v", len(secrets.Items), err)
	}
	if len(w.running) != 0 {
		t.Error("it is still remembered")
	}
}

func TestTimeToLive(t *testing.T) {
	lt := declared("mx")
	ttl := int32(3600)
	lt.Spec.TTLSecondsAfterFinished = &ttl
	w := newWorld(t, lt)
	begin(t, w, "mx")
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, 10*time.Millisecond)
	if _, _, err := w.pass(t, "mx"); err != nil {
		t.Fatal(err)
	}
	if err := w.WithWatch.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace("tests")); err != nil {
		t.Fatal(err)
	}
	if _, result, err := w.pass(t, "mx"); err != nil || result.RequeueAfter < 59*time.Minute || result.RequeueAfter > time.Hour {
		t.Errorf("%+v, %v", result, err)
	}
	got := w.get(t, "mx")
	past := metav1.NewTime(time.Now().Add(-2 * time.Hour))
	got.Status.FinishedAt = &past
	if err := w.WithWatch.Status().Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	if got, _, err := w.pass(t, "mx"); err != nil || got.DeletionTimestamp == nil {
		t.Errorf("it outlives its time: %v", err)
	}
}

func TestNotPossible(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(lt *v1alpha1.LoadTest)
		reason string
		want   string
	}{
		{"profile", func(lt *v1alpha1.LoadTest) { lt.Spec.Profile = "none" }, v1alpha1.ReasonInvalidTest, "spec.profile: found"},
		{"gate", func(lt *v1alpha1.LoadTest) { lt.Spec.Gates = []string{"fast"} }, v1alpha1.ReasonInvalidTest, "spec.gates[0]"},
		{"no accounts", func(lt *v1alpha1.LoadTest) { lt.Spec.AccountsFrom = nil }, v1alpha1.ReasonInvalidTest, "spec.accountsFrom"},
		{"wrong protocol", func(lt *v1alpha1.LoadTest) { lt.Spec.Target.Endpoints[0].Protocol = v1alpha1.ProtocolIMAP }, v1alpha1.ReasonInvalidTest, "smtp"},
		{"no platform", func(lt *v1alpha1.LoadTest) { lt.Spec.Target = nil }, v1alpha1.ReasonPlatformMissing, "Platform"},
	} {
		lt := declared("mx")
		c.change(lt)
		w := newWorld(t, lt)
		got, _, err := w.pass(t, "mx")
		cond := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionStalled)
		if err != nil || cond == nil || cond.Reason != c.reason || !strings.Contains(cond.Message, c.want) || got.Status.StartedAt != nil {
			t.Errorf("%s: %+v, %v", c.name, got.Status, err)
		}
	}
}

func TestPausedTestDoesNotStart(t *testing.T) {
	lt := declared("mx")
	lt.Spec.Paused = []v1alpha1.Pause{{Reason: "not before noon"}}
	w := newWorld(t, lt)
	if got, _, err := w.pass(t, "mx"); err != nil || got.Status.StartedAt != nil || reason(got, v1alpha1.ConditionPaused) != v1alpha1.ReasonPaused {
		t.Errorf("%+v, %v", got.Status, err)
	}
}

// TestReportThatCannotBeKept has the verdict come all the same, and from what was measured while the workers still were there.
func TestReportThatCannotBeKept(t *testing.T) {
	w := newWorld(t, declared("mx"))
	begin(t, w, "mx")
	w.fault = func(verb string, o any) error {
		if _, ok := o.(*corev1.ConfigMap); ok {
			return errors.New("etcd is full")
		}
		return nil
	}
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, 10*time.Millisecond)
	if lt, _, err := w.pass(t, "mx"); err == nil || lt.Status.Verdict != "" {
		t.Fatalf("at once: %+v, %v", lt.Status, err)
	}
	w.worker(0).result, w.worker(1).result = nil, nil
	w.running["mx"].judged = time.Now().Add(-time.Hour)
	lt, _, err := w.pass(t, "mx")
	if err != nil || lt.Status.Verdict != v1alpha1.LoadVerdictPass || lt.Status.ReportRef != "" {
		t.Errorf("status = %+v, %v", lt.Status, err)
	}
}

func TestForeignJob(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: "mx"}}
	w := newWorld(t, declared("mx"), job)
	lt, _, err := w.pass(t, "mx")
	if err == nil || !strings.Contains(err.Error(), "somebody else") || reason(lt, v1alpha1.ConditionReady) != v1alpha1.ReasonFailed {
		t.Errorf("%+v, %v", lt.Status, err)
	}
}

// TestPlatformIsWatched has the platform itself be the target.
func TestPlatformIsWatched(t *testing.T) {
	lt := declared("mx")
	lt.Spec.Target = nil
	p := &v1alpha1.Platform{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.PlatformName}}
	w := newWorld(t, lt, p)
	if got, _, err := w.pass(t, "mx"); err != nil || reason(got, v1alpha1.ConditionReady) != v1alpha1.ReasonTargetMissing || got.Status.StartedAt != nil {
		t.Errorf("without gateways: %+v, %v", got.Status, err)
	}
	p.Status.Endpoints = []v1alpha1.Endpoint{{Protocol: v1alpha1.ProtocolSMTP, Addresses: []string{"192.0.2.1:25", "192.0.2.2:25"}}}
	if err := w.WithWatch.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	gateway := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: naming.SystemNamespace, Name: "gateway-0", Labels: naming.Selector(naming.Gateway, "")}}
	gateway.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "127.0.0.1"} // nobody answers there
	if err := w.WithWatch.Create(t.Context(), gateway); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.pass(t, "mx"); err != nil {
		t.Fatal(err)
	}
	w.pods(t, "mx", 2)
	for deadline := time.Now().Add(20 * time.Second); reason(w.get(t, "mx"), v1alpha1.ConditionReady) != v1alpha1.ReasonRunning; {
		if _, _, err := w.pass(t, "mx"); err != nil || time.Now().After(deadline) {
			t.Fatalf("there is no load: %+v, %v", w.get(t, "mx").Status, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if in := w.worker(0).input; in.Scenario.Targets["smtp"] != "192.0.2.1:25,192.0.2.2:25" {
		t.Errorf("targets = %v", in.Scenario.Targets)
	}
	w.worker(0).done(20, 10*time.Millisecond)
	w.worker(1).done(20, 10*time.Millisecond)
	if _, _, err := w.pass(t, "mx"); err != nil {
		t.Fatal(err)
	}
	var config corev1.ConfigMap
	if err := w.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "tests", Name: "mx-report"}, &config); err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(config.Data["report.json"]), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Target.Missing) != 1 || !strings.Contains(r.Target.Missing[0], "gateway-0") || r.Target.FromSeconds >= 0 {
		t.Errorf("target = %+v", r.Target)
	}
}
