package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/operator/loadtest/specs"
	"gouv.tg/messagerie/operator/naming"
	"gouv.tg/messagerie/pki"
)

// dialer reaches workers over the network, with the operator's identity; a worker must show its namespace's.
func dialer(authority *pki.Authority) func(name, namespace, address string) (distribution.Worker, error) {
	identity := authority.NewIdentity(pki.Request{CommonName: naming.Operator, URI: naming.OperatorIdentity})
	return func(name, namespace, address string) (distribution.Worker, error) {
		config, err := identity.ClientConfig(naming.LoadWorkerIdentity(namespace))
		if err != nil {
			return nil, err
		}
		return distribution.Dial(name, address, config), nil
	}
}

// reconcileWorkers makes the certificate and the Job, and finds the Pods.
func (r *Reconciler) reconcileWorkers(ctx context.Context, s *scope) error {
	if err := r.findWorkers(ctx, s); err != nil {
		return err
	}
	// A Job that went away while there was load is not made again: its load would be another one.
	if s.job != nil || s.test.Status.LoadStartedAt != nil {
		return nil
	}
	if err := r.reconcileSecret(ctx, s.test.Namespace); err != nil {
		return err
	}
	in := specs.Input{LoadTest: s.test, Image: r.Image, Workers: s.scenario.Workers, Planned: s.planned()}
	if s.platform != nil && s.platform.Spec.Image != "" {
		in.Image = s.platform.Spec.Image
	}
	return r.Applier.Write(ctx, in.Job())
}

func (r *Reconciler) reconcileSecret(ctx context.Context, namespace string) error {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: naming.LoadWorkerSecret}
	if err := r.Reader.Get(ctx, key, &secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot read Secret %s: %w", key, err)
	}
	now, request := time.Now(), specs.Request(namespace)
	bundle := pki.Bundle{Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey]}
	if _, err := r.Authority.Check(bundle, request, now); err != nil {
		if bundle, err = r.Authority.Issue(request, now); err != nil {
			return err
		}
	}
	config, err := specs.Secret(namespace, bundle, r.Authority.CertificatePEM())
	if err != nil {
		return err
	}
	return r.Applier.Write(ctx, config)
}

// findWorkers finds the Job of the test and its Pods by their index.
func (r *Reconciler) findWorkers(ctx context.Context, s *scope) error {
	var job batchv1.Job
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.test), &job)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("cannot read the Job of the workers: %w", err)
	}
	if err == nil {
		if owner := job.OwnerReferences; len(owner) != 1 || owner[0].UID != s.test.UID {
			return fmt.Errorf("cannot use Job %s: somebody else made it; rename the load test or remove the Job", job.Name)
		}
		s.job = &job
	}
	var list corev1.PodList
	if err := r.Client.List(ctx, &list, client.InNamespace(s.test.Namespace), client.MatchingLabels(specs.Selector(s.test.Name))); err != nil {
		return fmt.Errorf("cannot list the Pods of the workers: %w", err)
	}
	s.pods = make([]*corev1.Pod, s.scenario.Workers)
	for i := range list.Items {
		pod := &list.Items[i]
		index, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
		if err == nil && index >= 0 && index < len(s.pods) && ownedBy(pod, s.job) {
			s.pods[index] = pod
		}
	}
	return nil
}

func ownedBy(pod *corev1.Pod, job *batchv1.Job) bool {
	for _, owner := range pod.OwnerReferences {
		if job != nil && owner.UID == job.UID {
			return true
		}
	}
	return false
}

// ended says why a worker's Pod does not run any more; "" while it does, or will.
func ended(pod *corev1.Pod, job *batchv1.Job) string {
	switch {
	case job == nil:
		return "its Job was removed"
	case pod == nil:
		for _, c := range job.Status.Conditions {
			if (c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) && c.Status == corev1.ConditionTrue {
				return "it has no Pod: " + c.Message
			}
		}
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		for _, c := range pod.Status.ContainerStatuses {
			if t := c.State.Terminated; t != nil {
				return fmt.Sprintf("its Pod ended with code %d: %s %s", t.ExitCode, t.Reason, t.Message)
			}
		}
		return "its Pod ended: " + pod.Status.Reason + " " + pod.Status.Message
	}
	return ""
}

func runs(pod *corev1.Pod) bool {
	return pod != nil && pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != ""
}

// waiting says what a Pod that does not run waits for.
func waiting(pod *corev1.Pod) string {
	if pod == nil {
		return "it has no Pod yet"
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason + " " + w.Message
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + " " + c.Message
		}
	}
	return "its Pod is " + string(pod.Status.Phase)
}

// worker is a load worker whose Pod may have ended.
type worker struct {
	distribution.Worker // nil: it never ran

	mu  sync.Mutex
	why string // it ended; empty: it has not
}

// reach makes the client of one worker; why says that it has ended already.
func (r *Reconciler) reach(s *scope, index int, why string) (*worker, error) {
	w := &worker{Worker: absent("worker-" + strconv.Itoa(index)), why: why}
	if !runs(s.pods[index]) {
		return w, nil
	}
	var err error
	w.Worker, err = r.Dial(w.Name(), s.test.Namespace, net.JoinHostPort(s.pods[index].Status.PodIP, strconv.Itoa(naming.PortLoadWorker)))
	return w, err
}

func (w *worker) end(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why == "" {
		w.why = why
	}
}

// Lost says why the worker will not answer any more.
func (w *worker) Lost() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.why == "" {
		return nil
	}
	return errors.New(w.why)
}

// Disconnect closes connections.
func (w *worker) Disconnect() {
	if d, ok := w.Worker.(interface{ Disconnect() }); ok {
		d.Disconnect()
	}
}

// absent is the name of a worker that never ran.
type absent string

var errAbsent = errors.New("the worker does not run")

func (a absent) Name() string                                       { return string(a) }
func (absent) Put(context.Context, distribution.Input) error        { return errAbsent }
func (absent) Start(context.Context, time.Time) error               { return errAbsent }
func (absent) Abort(context.Context) error                          { return nil }
func (absent) Result(context.Context) (*distribution.Result, error) { return nil, errAbsent }
func (absent) Close(context.Context) error                          { return nil }
func (absent) State(context.Context, bool) (distribution.State, error) {
	return distribution.State{}, errAbsent
}
