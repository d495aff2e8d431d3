package ministry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/operator/apply"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

// world is a Reconciler whose API server and cell can be made to fail.
type world struct {
	client.WithWatch
	*Reconciler
	fault func(verb string, o any) error
	cell  *fakeCell
}

type fakeCell struct {
	status admin.Status
	put    []admin.Account
	err    error
}

func (c *fakeCell) Status(context.Context) (admin.Status, error) { return c.status, c.err }

func (c *fakeCell) PutAccounts(_ context.Context, accounts []admin.Account) (admin.Result, error) {
	if c.err != nil {
		return admin.Result{}, c.err
	}
	c.put, c.status.AccountsHash = accounts, admin.HashOf(accounts)
	return admin.Result{Accounts: len(accounts)}, nil
}

func (*fakeCell) Close() {}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	w := &world{cell: &fakeCell{}, fault: func(string, any) error { return nil }}
	base := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Ministry{}, &v1alpha1.Platform{}).Build()
	w.WithWatch = interceptor.NewClient(base, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if err := w.fault("apply", o); err != nil {
				return err
			}
			if _, ok := o.(*networkingv1ac.NetworkPolicyApplyConfiguration); ok {
				return nil // the fake API server cannot merge them
			}
			return c.Apply(ctx, o, opts...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if err := w.fault("get", o); err != nil {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	authority, err := pki.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.Reconciler = New(Options{
		Client: w.WithWatch, Reader: w.WithWatch, Recorder: events.NewFakeRecorder(100), Applier: apply.New(w.WithWatch),
		Authority: authority, Image: "example/stackd:1", BasePort: 10000,
		Cells: func(string, string) (Cell, error) { return w.cell, nil },
	})
	return w
}

func readyPlatform() *v1alpha1.Platform {
	p := &v1alpha1.Platform{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.PlatformName}}
	p.Spec.Domain = "gouv.tg"
	meta.SetStatusCondition(&p.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionGatewayReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
	})
	return p
}

func declared() *v1alpha1.Ministry {
	m := &v1alpha1.Ministry{ObjectMeta: metav1.ObjectMeta{Name: "finances", Generation: 1}}
	m.Spec.Domains = []v1alpha1.DomainName{"finances.gouv.tg"}
	return m
}

func (w *world) pass(t *testing.T) (*v1alpha1.Ministry, error) {
	t.Helper()
	_, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "finances"}})
	var m v1alpha1.Ministry
	if getErr := w.WithWatch.Get(context.WithoutCancel(t.Context()), client.ObjectKey{Name: "finances"}, &m); getErr != nil {
		t.Fatal(getErr)
	}
	return &m, err
}

// serve plays the Pod that the StatefulSet asks for.
func (w *world) serve(t *testing.T) {
	t.Helper()
	s := newScope(declared())
	s.platform = readyPlatform()
	if err := w.buildInput(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	config, err := s.input.Config()
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace("finances"), Name: "cell-0", Labels: naming.Selector(naming.Cell, "finances"),
		Annotations: map[string]string{
			naming.AnnotationConfig: s.input.Digest(config), naming.AnnotationDomains: s.input.DomainsAnnotation(),
		},
	}}
	pod.Status.PodIP = "127.1.2.3"
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if err := w.WithWatch.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

func reason(m *v1alpha1.Ministry, kind string) string {
	if c := meta.FindStatusCondition(m.Status.Conditions, kind); c != nil {
		return c.Reason
	}
	return ""
}

func TestFinalizerComesFirst(t *testing.T) {
	w := newWorld(t, readyPlatform(), declared())
	w.fault = func(verb string, _ any) error {
		if verb == "apply" {
			return errors.New("no connection")
		}
		return nil
	}
	m, err := w.pass(t)
	if err == nil || !slices.Contains(m.Finalizers, naming.Finalizer) {
		t.Errorf("finalizers = %v, error = %v", m.Finalizers, err)
	}
	if reason(m, v1alpha1.ConditionNamespaceReady) != v1alpha1.ReasonFailed || m.Status.ObservedGeneration != 0 {
		t.Errorf("status = %+v", m.Status)
	}
	if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); c == nil || !strings.Contains(c.Message, "no connection") {
		t.Errorf("Ready = %+v", c)
	}
}

func TestStepByStep(t *testing.T) {
	w := newWorld(t, declared())
	if m, err := w.pass(t); err != nil || reason(m, v1alpha1.ConditionStalled) != v1alpha1.ReasonPlatformMissing {
		t.Errorf("without a Platform: %+v, %v", m.Status.Conditions, err)
	}
	p := readyPlatform()
	p.Status = v1alpha1.PlatformStatus{}
	if err := w.WithWatch.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if m, err := w.pass(t); err != nil || reason(m, v1alpha1.ConditionReady) != v1alpha1.ReasonCellStarting {
		t.Errorf("without a Pod: %+v, %v", m.Status.Conditions, err)
	}
	w.serve(t)
	w.cell.err = errors.New("connection refused")
	if m, err := w.pass(t); err == nil || reason(m, v1alpha1.ConditionAccountsReady) != v1alpha1.ReasonFailed {
		t.Errorf("the cell does not answer: %+v, %v", m.Status.Conditions, err)
	}
	w.cell.err = nil
	m, err := w.pass(t)
	if err != nil || len(w.cell.put) != 1 || !strings.HasPrefix(w.cell.put[0].Address, "messagerie-probe@") {
		t.Errorf("accounts = %+v, %v", w.cell.put, err)
	}
	if reason(m, v1alpha1.ConditionAccountsReady) != v1alpha1.ReasonNoSources || m.Status.Accounts.Served != 0 {
		t.Errorf("status = %+v", m.Status)
	}
	if reason(m, v1alpha1.ConditionReady) != v1alpha1.ReasonGatewayStarting {
		t.Errorf("without a gateway: %+v", m.Status.Conditions)
	}
	p.Status = readyPlatform().Status
	if err := w.WithWatch.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if m, err = w.pass(t); err != nil || !meta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady) || m.Status.ObservedGeneration != 1 {
		t.Errorf("status = %+v, %v", m.Status, err)
	}
	w.cell.put = nil
	if _, err := w.pass(t); err != nil || w.cell.put != nil {
		t.Errorf("the same accounts were sent again: %v, %v", w.cell.put, err)
	}
	w.cell.status.AccountsHash = "of another set"
	if _, err := w.pass(t); err != nil || len(w.cell.put) != 1 {
		t.Errorf("the cell lost its accounts and did not get them back: %v", err)
	}
}

func TestDomainClash(t *testing.T) {
	older := declared()
	older.Name, older.CreationTimestamp = "budget", metav1.NewTime(time.Unix(1, 0))
	m := declared()
	m.CreationTimestamp = metav1.NewTime(time.Unix(2, 0))
	w := newWorld(t, readyPlatform(), older, m)
	got, err := w.pass(t)
	c := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionStalled)
	if err != nil || c == nil || c.Reason != v1alpha1.ReasonDomainClash || !strings.Contains(c.Message, "budget") {
		t.Errorf("conditions = %+v, %v", got.Status.Conditions, err)
	}
	var namespaces corev1.NamespaceList
	if err := w.WithWatch.List(t.Context(), &namespaces); err != nil || len(namespaces.Items) != 0 {
		t.Errorf("something was made: %v, %v", namespaces.Items, err)
	}
}

func TestForeignNamespace(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace("finances")}}
	w := newWorld(t, readyPlatform(), declared(), ns)
	m, err := w.pass(t)
	if err == nil || !strings.Contains(err.Error(), "somebody else") || m.Status.Namespace != "" {
		t.Errorf("a foreign namespace was taken: %v", err)
	}
}
