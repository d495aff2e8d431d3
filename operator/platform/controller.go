// Package platform makes the Platform: its certificates and its gateways.
package platform

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/apply"
	"gouv.tg/messagerie/operator/conditions"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/operator/platform/specs"
	"gouv.tg/messagerie/pki"
)

// Options are what a Reconciler needs.
type Options struct {
	Client    client.Client // reads from the cache
	Reader    client.Reader // reads from the API server
	Recorder  events.EventRecorder
	Applier   *apply.Applier
	Authority *pki.Authority
	Image     string // of gateways, unless the Platform says otherwise
	BasePort  int32  // added to the well-known ports of the gateways
	// ExtraNames and ExtraAddresses are what else the certificate that clients see is to cover.
	ExtraNames     []string
	ExtraAddresses []netip.Addr
	// Passed is called after each pass; nil: nobody is told.
	Passed func(name string)
}

// Reconciler makes the Platform be what its spec says.
type Reconciler struct {
	Options
}

// New makes a Reconciler.
func New(o Options) *Reconciler { return &Reconciler{o} }

// scope is what one pass works on.
type scope struct {
	platform *v1alpha1.Platform
	conds    conditions.Set
	input    specs.Input
	config   string // text of gateway.json
	pods     []gatewayPod
	renew    time.Time // when the first certificate is to be renewed
	gone     bool      // the finalizer was taken off
}

// Reconcile makes one pass over the Platform.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	if r.Passed != nil {
		defer r.Passed(request.Name)
	}
	var p v1alpha1.Platform
	if err := r.Client.Get(ctx, request.NamespacedName, &p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := p.DeepCopy()
	// Before anything is made for the Platform, so that all of it is found again at the end.
	if p.DeletionTimestamp == nil && controllerutil.AddFinalizer(&p, naming.Finalizer) {
		if err := r.Client.Patch(ctx, &p, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, fmt.Errorf("cannot put the finalizer on the Platform: %w", err)
		}
		before = p.DeepCopy()
	}
	s := &scope{platform: &p, conds: conditions.Set{List: &p.Status.Conditions, Generation: p.Generation}}
	defer func() {
		err = errors.Join(err, r.report(ctx, before, s))
	}()
	if len(p.Spec.Paused) > 0 {
		s.conds.True(v1alpha1.ConditionPaused, v1alpha1.ReasonPaused, p.Spec.Paused[0].Reason)
		return ctrl.Result{}, nil
	}
	s.conds.Remove(v1alpha1.ConditionPaused)
	if p.DeletionTimestamp != nil {
		return ctrl.Result{}, r.delete(ctx, s)
	}
	if err := r.reconcile(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: max(time.Until(s.renew), time.Second)}, nil
}

func (r *Reconciler) reconcile(ctx context.Context, s *scope) error {
	s.input = specs.Input{Platform: s.platform, Image: r.Image, BasePort: r.BasePort}
	if s.platform.Spec.Image != "" {
		s.input.Image = s.platform.Spec.Image
	}
	var err error
	if s.config, err = s.input.Config(); err != nil {
		return err
	}
	if s.pods, err = r.gatewayPods(ctx, s); err != nil {
		return err
	}
	if err := r.reconcileCertificates(ctx, s); err != nil {
		s.conds.False(v1alpha1.ConditionCertificatesReady, v1alpha1.ReasonFailed, err.Error())
		s.conds.Progress(v1alpha1.ReasonFailed, err.Error())
		return err
	}
	s.conds.True(v1alpha1.ConditionCertificatesReady, v1alpha1.ReasonReady, "renewed by "+s.renew.UTC().Format(time.DateOnly))
	err = errors.Join(r.reconcileGateways(ctx, s), r.describe(ctx, s))
	if err != nil {
		s.conds.Progress(v1alpha1.ReasonFailed, err.Error())
		return err
	}
	summarise(s)
	return nil
}

// report writes the status once, if it changed, and tells people what happened.
func (r *Reconciler) report(ctx context.Context, before *v1alpha1.Platform, s *scope) error {
	r.tell(before, s.platform)
	if s.gone || apiequality.Semantic.DeepEqual(before.Status, s.platform.Status) {
		return nil
	}
	current := before.DeepCopy()
	current.Status = s.platform.Status
	if err := r.Client.Status().Patch(ctx, current, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot write the status of the Platform: %w", err)
	}
	return nil
}
