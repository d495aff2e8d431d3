// Package loadtest runs load tests: for each one a Job of workers, which begin together, and a verdict on what they measured.
package loadtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/operator/apply"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/requeue"
	"gouv.tg/messagerie/pki"
)

// Options are what a Reconciler needs.
type Options struct {
	Client    client.Client // reads from the cache
	Reader    client.Reader // reads from the API server
	Recorder  events.EventRecorder
	Applier   *apply.Applier
	Authority *pki.Authority
	Image     string // of workers, unless the Platform says otherwise
	Version   string // for reports
	Log       *slog.Logger
	// Dial reaches a worker at an address, host:port; nil: over the network, as the operator.
	Dial func(name, namespace, address string) (distribution.Worker, error)
}

// Reconciler brings load tests to their verdicts. What it keeps in memory it can find again: the workers know how far they are.
type Reconciler struct {
	Options

	claiming sync.Mutex // one test at a time decides whether its target is free

	mu      sync.Mutex
	running map[types.UID]*running
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	if o.Dial == nil {
		o.Dial = dialer(o.Authority)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Reconciler{Options: o, running: map[types.UID]*running{}}
}

// Reconcile makes one pass over one load test.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	var lt v1alpha1.LoadTest
	if err := r.Client.Get(ctx, request.NamespacedName, &lt); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := lt.DeepCopy()
	if lt.DeletionTimestamp == nil && controllerutil.AddFinalizer(&lt, naming.Finalizer) {
		if err := r.Client.Patch(ctx, &lt, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, requeue.IgnoreConflict(err)
		}
		before = lt.DeepCopy()
	}
	s := newScope(&lt)
	defer func() {
		err = errors.Join(err, r.report(ctx, before, s))
	}()
	switch {
	case lt.DeletionTimestamp != nil:
		err = r.delete(ctx, s)
	case s.finished():
		err = r.wrapUp(ctx, s)
	case len(lt.Spec.Paused) > 0 && !s.started():
		s.conds.True(v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, lt.Spec.Paused[0].Reason)
	default:
		s.conds.Remove(v1alpha1.ConditionPaused)
		err = r.reconcile(ctx, s)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: s.after}, nil
}

// reconcile brings a test one step further.
func (r *Reconciler) reconcile(ctx context.Context, s *scope) error {
	ok, err := r.plan(ctx, s)
	if err != nil || !ok {
		return err
	}
	if !s.started() {
		free, err := r.claim(ctx, s)
		if err != nil || !free {
			return err
		}
	}
	if err := r.reconcileWorkers(ctx, s); err != nil {
		s.conds.False(v1alpha1.ConditionWorkersReady, v1alpha1.ReasonFailed, err.Error())
		s.conds.Progress(v1alpha1.ReasonFailed, err.Error())
		return err
	}
	return r.drive(ctx, s)
}

// plan finds out what is to be done; false when it cannot be done (yet), as the conditions say.
func (r *Reconciler) plan(ctx context.Context, s *scope) (bool, error) {
	var p v1alpha1.Platform
	err := r.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &p)
	switch {
	case err == nil:
		s.platform = &p
	case !apierrors.IsNotFound(err):
		return false, fmt.Errorf("cannot read the Platform: %w", err)
	}
	s.scenario, err = Translate(s.test)
	if s.started() { // what was found good once is carried through; the workers judge the rest
		s.scenario.Workers = cmp.Or(s.scenario.Workers, int(s.test.Status.Workers.Total))
		if s.test.Spec.Target == nil && s.platform != nil {
			s.scenario.Targets = PlatformTargets(s.platform)
		}
		return true, nil
	}
	if err != nil {
		s.stall(v1alpha1.ReasonInvalidTest, err.Error())
		return false, nil
	}
	if s.test.Spec.AccountsFrom == nil {
		s.stall(v1alpha1.ReasonInvalidTest, "spec.accountsFrom: found nothing; accepted is a key of a Secret with the columns address and password")
		return false, nil
	}
	if s.test.Spec.Target == nil {
		if s.platform == nil {
			s.stall(v1alpha1.ReasonPlatformMissing, "there is no Platform to test: apply one, or name a target")
			return false, nil
		}
		s.scenario.Targets = PlatformTargets(s.platform)
	}
	if err := s.scenario.CheckTargets(); err != nil {
		if s.test.Spec.Target == nil {
			s.wait(v1alpha1.ReasonTargetMissing, "the Platform's gateways do not serve yet: "+err.Error())
			return false, nil
		}
		s.stall(v1alpha1.ReasonInvalidTest, err.Error())
		return false, nil
	}
	return true, nil
}

func (s *scope) stall(reason, message string) {
	s.conds.False(v1alpha1.ConditionFinished, reason, message)
	s.conds.Stall(reason, message)
}

func (s *scope) wait(reason, message string) {
	s.conds.False(v1alpha1.ConditionFinished, reason, message)
	s.conds.Progress(reason, message)
}

// claim takes the target for this test and freezes the spec; false while another test has it.
func (r *Reconciler) claim(ctx context.Context, s *scope) (bool, error) {
	r.claiming.Lock()
	defer r.claiming.Unlock()
	// Not from the cache: it may not know yet of a test that started a moment ago.
	var all v1alpha1.LoadTestList
	if err := r.Reader.List(ctx, &all); err != nil {
		return false, fmt.Errorf("cannot list load tests: %w", err)
	}
	for i := range all.Items {
		if other := &all.Items[i]; other.UID != s.test.UID && blocks(other, s.test, s.platform) {
			s.wait(v1alpha1.ReasonTargetBusy, fmt.Sprintf("LoadTest %s/%s has the target; this one waits for it", other.Namespace, other.Name))
			return false, nil
		}
	}
	before := s.test.DeepCopy()
	now := metav1.Now()
	s.test.Status.StartedAt = &now
	s.test.Status.Workers = v1alpha1.ReplicaCount{Total: int32(s.scenario.Workers)}
	s.wait(v1alpha1.ReasonWorkersStarting, "the workers are being started")
	status := s.test.Status
	// Against the version that was judged: a spec that changed meanwhile must not become the one that is frozen.
	if err := r.Client.Status().Patch(ctx, s.test, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		s.test.Status = before.Status
		return false, requeue.IgnoreConflict(err)
	}
	s.test.Status = status
	r.event(s.test, corev1.EventTypeNormal, "Started", "Start", fmt.Sprintf("%d users, %d workers, %s", s.scenario.Users, s.scenario.Workers, s.planned()))
	return true, nil
}

// report writes the status once, if it changed.
func (r *Reconciler) report(ctx context.Context, before *v1alpha1.LoadTest, s *scope) error {
	if s.gone || apiequality.Semantic.DeepEqual(before.Status, s.test.Status) {
		return nil
	}
	current := before.DeepCopy()
	current.Status = s.test.Status
	if err := r.Client.Status().Patch(ctx, current, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot write the status of LoadTest %s: %w", client.ObjectKeyFromObject(before), err)
	}
	return nil
}

func (r *Reconciler) event(about *v1alpha1.LoadTest, kind, reason, action, note string) {
	const maxNote = 1024 // what the API server takes
	if len(note) > maxNote {
		note = note[:maxNote-3] + "..."
	}
	r.Recorder.Eventf(about, nil, kind, reason, action, "%s", note)
}
