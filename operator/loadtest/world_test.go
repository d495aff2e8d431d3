package loadtest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/operator/apply"
	"gouv.tg/messagerie/pki"
)

// world is a Reconciler whose API server and workers can be made to fail.
type world struct {
	client.WithWatch
	*Reconciler
	fault func(verb string, o any) error

	mu      sync.Mutex
	workers map[string]*fakeWorker // by address
}

// fakeWorker goes through a run without any load.
type fakeWorker struct {
	name string

	mu     sync.Mutex
	state  distribution.State
	result *distribution.Result
	input  distribution.Input
	closed bool
	refuse error
}

func (w *fakeWorker) Name() string { return w.name }

func (w *fakeWorker) Put(_ context.Context, in distribution.Input) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.input, w.state.Phase, w.state.RunID = in, distribution.Prepared, in.RunID
	return w.refuse
}

func (w *fakeWorker) State(context.Context, bool) (distribution.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.state
	s.Received, s.Sent = time.Now(), time.Now()
	return s, nil
}

func (w *fakeWorker) Start(_ context.Context, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Phase, w.state.At = distribution.Running, at
	return nil
}

func (w *fakeWorker) Abort(context.Context) error { return nil }

func (w *fakeWorker) Result(context.Context) (*distribution.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.result == nil {
		return nil, distribution.ErrPhase
	}
	return w.result, nil
}

func (w *fakeWorker) Close(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}

// done has the worker end with n operations that took d each.
func (w *fakeWorker) done(n int, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.state.At
	r := record.New(record.Options{Start: at, End: at.Add(10 * time.Second)})
	for range n {
		r.Operation("smtp.mx").Done(at, at.Add(d))
	}
	w.result = &distribution.Result{Snapshot: r.Snapshot()}
	w.state.Phase = distribution.Done
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w := &world{fault: func(string, any) error { return nil }, workers: map[string]*fakeWorker{}}
	base := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.LoadTest{}, &v1alpha1.Platform{}, &corev1.Pod{}).Build()
	w.WithWatch = interceptor.NewClient(base, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if err := w.fault("apply", o); err != nil {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := w.fault("create", o); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
	})
	authority, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.Reconciler = w.operator(authority)
	return w
}

// operator is a new one, that remembers nothing.
func (w *world) operator(authority *pki.Authority) *Reconciler {
	return New(Options{
		Client: w.WithWatch, Reader: w.WithWatch, Recorder: events.NewFakeRecorder(100), Applier: apply.New(w.WithWatch),
		Authority: authority, Image: "example/stackd:1", Version: "1",
		Dial: func(name, namespace, address string) (distribution.Worker, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.workers[address] == nil {
				w.workers[address] = &fakeWorker{name: name, state: distribution.State{Phase: distribution.Idle}}
			}
			return w.workers[address], nil
		},
	})
}

func declared(name string) *v1alpha1.LoadTest {
	rate := 10.0
	lt := &v1alpha1.LoadTest{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: name, Generation: 1, UID: types.UID(name)}}
	lt.Spec = v1alpha1.LoadTestSpec{
		Users: 10, Workers: 2, DurationSeconds: 10,
		Streams:      []v1alpha1.LoadStream{{Name: "mx", Activity: "MX", Rate: &rate}},
		Gates:        []string{"smtp.mx.p99 < 500ms min_count=10"},
		Target:       &v1alpha1.LoadTarget{Endpoints: []v1alpha1.LoadEndpoint{{Protocol: v1alpha1.ProtocolSMTP, Address: "192.0.2.1:25"}}},
		AccountsFrom: &v1alpha1.SecretKey{Name: "agents", Key: "accounts.csv"},
	}
	return lt
}

func (w *world) get(t *testing.T, name string) *v1alpha1.LoadTest {
	t.Helper()
	var lt v1alpha1.LoadTest
	if err := w.WithWatch.Get(context.WithoutCancel(t.Context()), client.ObjectKey{Namespace: "tests", Name: name}, &lt); err != nil {
		t.Fatal(err)
	}
	return &lt
}

func (w *world) pass(t *testing.T, name string) (*v1alpha1.LoadTest, ctrl.Result, error) {
	t.Helper()
	result, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "tests", Name: name}})
	return w.get(t, name), result, err
}

// pods plays the Job controller and the node.
func (w *world) pods(t *testing.T, name string, n int) {
	t.Helper()
	var job batchv1.Job
	if err := w.WithWatch.Get(t.Context(), client.ObjectKey{Namespace: "tests", Name: name}, &job); err != nil {
		t.Fatal(err)
	}
	if job.UID == "" {
		job.UID = types.UID("job-" + name)
		if err := w.WithWatch.Update(t.Context(), &job); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "tests", Name: name + "-" + strconv.Itoa(i), Labels: job.Spec.Template.Labels,
			Annotations:     map[string]string{batchv1.JobCompletionIndexAnnotation: strconv.Itoa(i)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: name, UID: job.UID}},
		}}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "127.9.0." + strconv.Itoa(i+1)}
		if err := w.WithWatch.Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) worker(i int) *fakeWorker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers["127.9.0."+strconv.Itoa(i+1)+":7003"]
}

func reason(lt *v1alpha1.LoadTest, kind string) string {
	if c := meta.FindStatusCondition(lt.Status.Conditions, kind); c != nil {
		return c.Reason
	}
	return ""
}

// begin brings a test to where its load runs.
func begin(t *testing.T, w *world, name string) {
	t.Helper()
	if lt, _, err := w.pass(t, name); err != nil || reason(lt, v1alpha1.ConditionReady) != v1alpha1.ReasonWorkersStarting || lt.Status.StartedAt == nil {
		t.Fatalf("without Pods: %+v, %v", lt.Status, err)
	}
	w.pods(t, name, 1)
	if lt, _, err := w.pass(t, name); err != nil || reason(lt, v1alpha1.ConditionWorkersReady) != v1alpha1.ReasonWorkersStarting || lt.Status.Workers.Ready != 1 {
		t.Fatalf("with one Pod of two: %+v, %v", lt.Status, err)
	}
	if err := w.WithWatch.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "tests", Name: name + "-0"}}); err != nil {
		t.Fatal(err)
	}
	w.pods(t, name, 2)
	for range 3 {
		if lt, _, err := w.pass(t, name); err != nil {
			t.Fatal(err)
		} else if reason(lt, v1alpha1.ConditionReady) == v1alpha1.ReasonRunning {
			return
		}
	}
	t.Fatalf("there is no load: %+v", w.get(t, name).Status)
}
