package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"

	"gouv.tg/messagerie/cluster/node/pods"
)

// statuses writes the statuses of Pods to the API, and deletes the objects of Pods that have been stopped for good.
type statuses struct {
	client kubernetes.Interface
	lister listers.PodLister
	log    *slog.Logger
	queue  workqueue.TypedRateLimitingInterface[types.UID]

	mu      sync.Mutex
	pending map[types.UID]pods.Report
	// written is the last answer to a write: the lister's copy may be older.
	written map[types.UID]*corev1.Pod
}

// statusTimeout bounds one write.
const statusTimeout = 10 * time.Second

// statusWorkers write at the same time.
const statusWorkers = 4

func newStatuses(client kubernetes.Interface, lister listers.PodLister, log *slog.Logger) *statuses {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](50*time.Millisecond, 5*time.Second)
	return &statuses{
		client: client, lister: lister, log: log, queue: workqueue.NewTypedRateLimitingQueue(limiter),
		pending: make(map[types.UID]pods.Report), written: make(map[types.UID]*corev1.Pod),
	}
}

// set takes a status to write; a newer one replaces one that is not written yet.
func (s *statuses) set(r pods.Report) {
	s.mu.Lock()
	s.pending[r.Pod.UID] = r
	s.mu.Unlock()
	s.queue.Add(r.Pod.UID)
}

// run writes until ctx is done.
func (s *statuses) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range statusWorkers {
		wg.Go(func() {
			for s.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	s.queue.ShutDown()
	wg.Wait()
}

// flush waits until everything is written or the time is over.
func (s *statuses) flush(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		left := len(s.pending)
		s.mu.Unlock()
		if left == 0 {
			return
		}
	}
	s.log.Warn("not all statuses of Pods were written before the node stopped")
}

func (s *statuses) next(ctx context.Context) bool {
	uid, shutdown := s.queue.Get()
	if shutdown {
		return false
	}
	defer s.queue.Done(uid)
	s.mu.Lock()
	report, ok := s.pending[uid]
	s.mu.Unlock()
	if !ok {
		s.queue.Forget(uid)
		return true
	}
	requestCtx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	if err := s.sync(requestCtx, report); err != nil {
		if ctx.Err() == nil {
			s.log.Warn("status not written yet", "pod", report.Pod.Namespace+"/"+report.Pod.Name, "error", err)
		}
		s.queue.AddRateLimited(uid)
		return true
	}
	s.queue.Forget(uid)
	s.done(report)
	return true
}

// done forgets a written report unless a newer one has come.
func (s *statuses) done(r pods.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.pending[r.Pod.UID]; now.Removed == r.Removed && equality.Semantic.DeepEqual(now.Status, r.Status) {
		delete(s.pending, r.Pod.UID)
	}
	if r.Removed {
		delete(s.written, r.Pod.UID)
	}
}

// sync writes one status.
func (s *statuses) sync(ctx context.Context, r pods.Report) error {
	current, err := s.current(ctx, r.Pod)
	if err != nil || current == nil {
		return err
	}
	patch, err := statusPatch(current, r.Status)
	if err != nil {
		return err
	}
	client := s.client.CoreV1().Pods(r.Pod.Namespace)
	if patch != nil {
		written, err := client.Patch(ctx, r.Pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			// Conflict: the uid is another one. Either way the Pod is gone.
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot write the status: %w", err)
		}
		s.mu.Lock()
		s.written[r.Pod.UID] = written
		s.mu.Unlock()
		current = written
	}
	if !r.Removed || current.DeletionTimestamp == nil {
		return nil
	}
	none := int64(0)
	err = client.Delete(ctx, r.Pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &none, Preconditions: metav1.NewUIDPreconditions(string(r.Pod.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot delete the stopped Pod: %w", err)
	}
	return nil
}

// current returns the newest version of a Pod that is known; nil: it is gone.
func (s *statuses) current(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	listed, err := s.lister.Pods(pod.Namespace).Get(pod.Name)
	if err != nil || listed.UID != pod.UID {
		// The lister may be behind; the last word is the API's. A node may not even read what is not bound to it.
		listed, err = s.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || (err == nil && listed.UID != pod.UID) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the Pod: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if written := s.written[pod.UID]; written != nil && newer(written, listed) {
		return written, nil
	}
	return listed, nil
}

// newer compares resource versions, which of one kind are ordered numbers.
func newer(a, b *corev1.Pod) bool {
	x, errX := strconv.ParseUint(a.ResourceVersion, 10, 64)
	y, errY := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errX == nil && errY == nil && x > y
}

// statusPatch returns the change that makes a Pod's status what the node says, leaving what others write; nil: none.
// The uid in it makes the API refuse to apply it to another Pod of the same name.
func statusPatch(current *corev1.Pod, ours corev1.PodStatus) ([]byte, error) {
	want := merge(&current.Status, ours)
	if equality.Semantic.DeepEqual(&current.Status, want) {
		return nil, nil
	}
	before, err := json.Marshal(corev1.Pod{Status: current.Status})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the status: %w", err)
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: current.UID}, Status: *want})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the status: %w", err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("cannot compare the statuses: %w", err)
	}
	return patch, nil
}

// merge puts the node's part of a status over the present one.
func merge(present *corev1.PodStatus, ours corev1.PodStatus) *corev1.PodStatus {
	s := present.DeepCopy()
	s.Phase, s.Reason, s.Message = ours.Phase, ours.Reason, ours.Message
	s.HostIP, s.HostIPs, s.PodIP, s.PodIPs = ours.HostIP, ours.HostIPs, ours.PodIP, ours.PodIPs
	s.StartTime, s.ObservedGeneration = ours.StartTime, ours.ObservedGeneration
	s.ContainerStatuses, s.InitContainerStatuses = ours.ContainerStatuses, ours.InitContainerStatuses
	for _, c := range ours.Conditions {
		found := false
		for i := range s.Conditions {
			if s.Conditions[i].Type == c.Type {
				s.Conditions[i], found = c, true
			}
		}
		if !found {
			s.Conditions = append(s.Conditions, c)
		}
	}
	return s
}
