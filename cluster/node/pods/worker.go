package pods

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/volumes"
)

// stopCause says why a Pod is stopped.
type stopCause int

const (
	running     stopCause = iota
	stopFailed            // by the node, for good: the record says why
	stopNode              // with the node: it is started again with it
	stopDeleted           // for good, and removed
)

// worker runs one Pod.
type worker struct {
	m           *Manager
	uid         types.UID
	predecessor *worker
	adopted     bool
	done        chan struct{}

	ctx    context.Context // ends when the Pod is to stop
	cancel context.CancelFunc
	// killed is closed when the grace period is over.
	killed chan struct{}
	// leave is closed when the Pod is to stop for another cause than a failure: nobody wants its status any more.
	leave chan struct{}
	// confirmed is closed once the Pod is known to exist: one found on disk may have been deleted since.
	confirmed   chan struct{}
	confirmOnce sync.Once

	mu        sync.Mutex
	rec       *podRecord
	cause     stopCause
	killTimer *time.Timer
	killAt    time.Time
	processes map[string]*sandbox.Process
	restarts  map[string]chan restart

	volumesMu sync.Mutex
	volumes   map[string]volumes.Volume
}

// restart asks a container's loop to end the present run.
type restart struct {
	reason       string
	graceSeconds *int64
	// immediate restarts are not the container's fault: no back-off.
	immediate bool
}

func newWorker(m *Manager, r *podRecord, adopted bool) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{
		m: m, uid: r.Pod.UID, adopted: adopted, done: make(chan struct{}), ctx: ctx, cancel: cancel,
		killed: make(chan struct{}), leave: make(chan struct{}), confirmed: make(chan struct{}), rec: r,
		processes: make(map[string]*sandbox.Process), restarts: make(map[string]chan restart),
	}
	for name := range r.Containers {
		w.restarts[name] = make(chan restart, 1)
	}
	if !adopted {
		w.confirm()
	}
	return w
}

// confirm lets containers start.
func (w *worker) confirm() { w.confirmOnce.Do(func() { close(w.confirmed) }) }

// pod returns the Pod as last told; it must not be changed.
func (w *worker) pod() *corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rec.Pod
}

func (w *worker) log() *slog.Logger { return w.m.cfg.Logger.With("pod", key(w.pod())) }

// update changes the record, keeps it, and reports the status if it is another one now.
func (w *worker) update(change func(*podRecord)) {
	w.mu.Lock()
	change(w.rec)
	w.rec.Conditions = conditions(w.rec, w.cause)
	err := w.rec.save(w.m.cfg.Dir)
	report := w.reportLocked()
	w.mu.Unlock()
	if err != nil {
		w.log().Warn("a change of the Pod is not on disk", "error", err)
	}
	w.m.cfg.Changed(report)
}

func (w *worker) report() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reportLocked()
}

func (w *worker) reportLocked() Report {
	return Report{Pod: w.rec.Pod, Status: status(w.rec, w.cause, w.m.cfg.Facts)}
}

// run runs the Pod from start to end.
func (w *worker) run() {
	defer close(w.done)
	defer w.cancel()
	if w.predecessor != nil {
		// Two Pods of one name never run at once: they may share a volume and an address.
		<-w.predecessor.done
		w.predecessor = nil
	}
	if w.begin() {
		background := w.keepVolumesFresh()
		w.runContainers()
		background()
	}
	w.finish()
}

// begin gives the Pod its directory and address. It returns false when the Pod was stopped before.
func (w *worker) begin() bool {
	pod := w.pod()
	if w.ctx.Err() != nil && !w.adopted {
		return false
	}
	for delay := 200 * time.Millisecond; ; delay = min(2*delay, 10*time.Second) {
		err := os.MkdirAll(filepath.Join(w.m.cfg.Dir, string(w.uid)), 0o700)
		address := w.m.cfg.Facts.HostIP
		if err == nil && !pod.Spec.HostNetwork {
			taken, takeErr := w.m.cfg.Addresses.Take(key(pod))
			address, err = taken.String(), takeErr
		}
		if err == nil {
			w.update(func(r *podRecord) { r.Address = address })
			return true
		}
		w.event(corev1.EventTypeWarning, "FailedCreatePodSandBox", err.Error())
		if !sleep(w.ctx, delay) {
			return false
		}
	}
}

// runContainers runs the init containers one after the other, then the containers together, until all have ended.
func (w *worker) runContainers() {
	pod := w.pod()
	stopDeadline := w.enforceDeadline(pod)
	defer stopDeadline()
	var wg sync.WaitGroup
	defer wg.Wait()
	sidecarCtx, endSidecars := context.WithCancel(context.Background())
	defer endSidecars()
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if isSidecar(c) {
			wg.Go(func() { w.runContainer(c, sidecarCtx) })
			if !w.untilStarted(c.Name) {
				return
			}
			continue
		}
		if !w.runInit(c) {
			return
		}
	}
	var main sync.WaitGroup
	for i := range pod.Spec.Containers {
		main.Go(func() { w.runContainer(&pod.Spec.Containers[i], nil) })
	}
	main.Wait()
}

// isSidecar says whether an init container keeps running beside the containers.
func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// runInit runs an init container to its success; false: the Pod ends without it.
func (w *worker) runInit(c *corev1.Container) bool {
	w.runContainer(c, nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rec.Containers[c.Name]
	return r.Done && r.Status.State.Terminated != nil && r.Status.State.Terminated.ExitCode == 0
}

// untilStarted waits for a sidecar; false: the Pod is to stop.
func (w *worker) untilStarted(name string) bool {
	for {
		w.mu.Lock()
		started := w.rec.Containers[name].Status.Started
		w.mu.Unlock()
		if started != nil && *started {
			return true
		}
		if !sleep(w.ctx, 20*time.Millisecond) {
			return false
		}
	}
}

// enforceDeadline ends the Pod after its activeDeadlineSeconds.
func (w *worker) enforceDeadline(pod *corev1.Pod) (stop func()) {
	if pod.Spec.ActiveDeadlineSeconds == nil {
		return func() {}
	}
	w.mu.Lock()
	end := w.rec.StartTime.Add(time.Duration(*pod.Spec.ActiveDeadlineSeconds) * time.Second)
	w.mu.Unlock()
	timer := time.AfterFunc(time.Until(end), func() {
		w.update(func(r *podRecord) {
			r.Failed = &failure{Reason: "DeadlineExceeded", Message: "Pod was active on the node longer than the specified deadline"}
		})
		w.stop(stopFailed, w.grace(nil))
	})
	return func() { timer.Stop() }
}

// finish settles a Pod whose containers have ended.
func (w *worker) finish() {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	if cause == running || cause == stopFailed {
		// It stays on record until its object is deleted, for its status and logs.
		w.update(func(*podRecord) {})
		<-w.leave
		w.mu.Lock()
		cause = w.cause
		w.mu.Unlock()
	}
	if !w.pod().Spec.HostNetwork {
		defer w.m.cfg.Addresses.Release(key(w.pod()))
	}
	if cause != stopDeleted {
		return
	}
	report := w.report()
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		err := w.m.cleanUp(w.uid)
		if err == nil {
			break
		}
		w.log().Warn("the deleted Pod is not cleaned up yet", "error", err)
		time.Sleep(delay)
	}
	report.Removed = true
	w.m.forget(w)
	w.m.cfg.Changed(report)
}

// facts returns what the Pod's containers may learn.
func (w *worker) facts() environment.Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.m.cfg.Facts
	f.PodIP = w.rec.Address
	return f
}

// change takes over a new version of the Pod.
func (w *worker) change(pod *corev1.Pod) {
	old := w.pod()
	if old == pod {
		return
	}
	images := make(map[string]string)
	for _, list := range [][]corev1.Container{old.Spec.InitContainers, old.Spec.Containers} {
		for i := range list {
			images[list[i].Name] = list[i].Image
		}
	}
	w.update(func(r *podRecord) { r.Pod = pod })
	for i := range pod.Spec.Containers {
		if c := &pod.Spec.Containers[i]; images[c.Name] != c.Image {
			w.requestRestart(c.Name, restart{reason: "its image has changed", immediate: true})
		}
	}
}

// requestRestart asks a container's loop to end the present run; one request at a time is enough.
func (w *worker) requestRestart(name string, r restart) {
	select {
	case w.restarts[name] <- r:
	default:
	}
}

// container returns the present description of a container.
func (w *worker) container(name string) *corev1.Container {
	pod := w.pod()
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// event tells people about the Pod.
func (w *worker) event(kind, reason, message string) {
	w.m.cfg.Recorder.Event(w.pod(), kind, reason, message)
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// keepVolumesFresh refreshes volumes when their sources change and tokens before they expire, until the returned
// function is called.
func (w *worker) keepVolumesFresh() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	changed := make(chan struct{}, 1)
	unwatch := w.m.cfg.Volumes.Watch(w.pod(), func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		const check = time.Minute
		next := time.NewTimer(check)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-next.C:
			}
			next.Reset(w.refresh(ctx, check))
		}
	}()
	return func() {
		unwatch()
		cancel()
		<-done
	}
}

// refresh refreshes the volumes once and returns when to do it again.
func (w *worker) refresh(ctx context.Context, check time.Duration) time.Duration {
	due, err := w.m.cfg.Volumes.Refresh(ctx, w.pod(), w.facts())
	if err != nil && !errors.Is(err, context.Canceled) {
		w.log().Warn("volumes not refreshed", "error", err)
		return 10 * time.Second
	}
	if due.IsZero() {
		return check
	}
	return min(max(time.Until(due), time.Second), check)
}
