// Package ministry makes ministries: for each one a namespace with a cell, its keys and its accounts.
package ministry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/accounts"
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
	Image     string // of cells, unless the Platform says otherwise
	BasePort  int32  // of the gateways
	// Cells dials the administration of cells; nil: over the network, as the operator.
	Cells func(ministry, address string) (Cell, error)
	// Passed is called after each pass over a ministry; nil: nobody is told.
	Passed func(ministry string)
}

// Reconciler makes ministries be what their specs say.
type Reconciler struct {
	Options
	applier *apply.Applier
	book    *accounts.Book
	uids    *uids
	touched chan event.GenericEvent

	mu       sync.Mutex
	retained map[string]v1alpha1.ReclaimPolicy // what was last set on the ministry's volume
}

// New makes a Reconciler.
func New(o Options) *Reconciler {
	if o.Cells == nil {
		o.Cells = dialer(o.Authority)
	}
	return &Reconciler{
		Options:  o,
		applier:  o.Applier,
		book:     accounts.NewBook(o.Client, o.Reader),
		uids:     &uids{reader: o.Reader},
		touched:  make(chan event.GenericEvent, 1024),
		retained: map[string]v1alpha1.ReclaimPolicy{},
	}
}

// Reconcile makes one pass over one ministry.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	if r.Passed != nil {
		defer r.Passed(request.Name)
	}
	var m v1alpha1.Ministry
	if err := r.Client.Get(ctx, request.NamespacedName, &m); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := m.DeepCopy()
	// Before anything is made for the ministry, so that all of it is found again at the end.
	if m.DeletionTimestamp == nil && controllerutil.AddFinalizer(&m, naming.Finalizer) {
		if err := r.Client.Patch(ctx, &m, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, requeue.IgnoreConflict(err)
		}
		before = m.DeepCopy()
	}
	s := newScope(&m)
	defer func() {
		err = errors.Join(err, r.report(ctx, before, s))
	}()
	if len(m.Spec.Paused) > 0 {
		s.conds.True(v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, m.Spec.Paused[0].Reason)
		return ctrl.Result{}, nil
	}
	s.conds.Remove(v1alpha1.ConditionPaused)
	if m.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}
	err = r.reconcile(ctx, s)
	r.summarise(s)
	if err != nil {
		return ctrl.Result{}, err
	}
	return requeueAt(s.keys.renew), nil
}

// reconcile goes through the phases. A phase that cannot do anything without an earlier one is left out.
func (r *Reconciler) reconcile(ctx context.Context, s *scope) error {
	older, err := r.preconditions(ctx, s)
	if err != nil || s.platform == nil {
		return err
	}
	if err := r.reconcileNamespace(ctx, s); err != nil {
		s.conds.False(v1alpha1.ConditionNamespaceReady, v1alpha1.ReasonFailed, err.Error())
		return err
	}
	s.conds.True(v1alpha1.ConditionNamespaceReady, v1alpha1.ReasonReady, "the namespace and what lies in it are as declared")
	r.describe(s)
	return errors.Join(
		r.reconcileCell(ctx, s),
		r.reconcileAccounts(ctx, s, older),
	)
}

// preconditions finds the Platform, and which ministries came before this one. It leaves s.platform nil when the ministry
// cannot be made as it is declared.
func (r *Reconciler) preconditions(ctx context.Context, s *scope) (older []*v1alpha1.Ministry, err error) {
	var p v1alpha1.Platform
	if err := r.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &p); err != nil {
		if apierrors.IsNotFound(err) {
			s.conds.False(v1alpha1.ConditionNamespaceReady, v1alpha1.ReasonPlatformMissing,
				"there is no Platform yet: apply one with the name platform")
			return nil, nil
		}
		return nil, fmt.Errorf("cannot read the Platform: %w", err)
	}
	var all v1alpha1.MinistryList
	if err := r.Client.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("cannot list ministries: %w", err)
	}
	for i := range all.Items {
		if Before(&all.Items[i], s.ministry) {
			older = append(older, &all.Items[i])
		}
	}
	slices.SortFunc(older, func(a, b *v1alpha1.Ministry) int {
		if Before(a, b) {
			return -1
		}
		return 1
	})
	if clash := domainClash(s.ministry, &p, older); clash != "" {
		s.conds.False(v1alpha1.ConditionNamespaceReady, v1alpha1.ReasonDomainClash, clash)
		return nil, nil
	}
	s.platform = &p
	return older, nil
}

// requeueAt comes back when a certificate is to be renewed.
func requeueAt(t time.Time) ctrl.Result {
	if t.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(time.Until(t), time.Second)}
}

// report writes the status once, if it changed, and tells people what happened.
func (r *Reconciler) report(ctx context.Context, before *v1alpha1.Ministry, s *scope) error {
	r.tell(before, s.ministry)
	if s.gone || apiequality.Semantic.DeepEqual(before.Status, s.ministry.Status) {
		return nil
	}
	current := before.DeepCopy()
	current.Status = s.ministry.Status
	if err := r.Client.Status().Patch(ctx, current, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot write the status of Ministry %s: %w", before.Name, err)
	}
	return nil
}
