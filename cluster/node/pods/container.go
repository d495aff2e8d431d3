package pods

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/cluster/node/probes"
	"gouv.tg/messagerie/cluster/node/sandbox"
)

// runContainer runs a container, again and again as the Pod's policy says, until it has ended for good or the Pod is
// to stop. end, if not nil, stops this container alone.
func (w *worker) runContainer(c *corev1.Container, end context.Context) {
	var ended <-chan struct{}
	if end != nil {
		ended = end.Done()
	}
	p := w.resume(c)
	for {
		if p == nil {
			if w.isDone(c.Name) || !w.backOff(c, ended) {
				return
			}
			if p = w.startContainer(c.Name, ended); p == nil {
				if w.ctx.Err() != nil || isClosed(ended) {
					return
				}
				continue // it was not started, which counts as an end
			}
		}
		w.supervise(c.Name, p, ended)
		p = nil
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func (w *worker) isDone(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rec.Containers[name].Done
}

// resume takes up what an earlier node process left: it adopts the running process, or settles how it ended.
func (w *worker) resume(c *corev1.Container) *sandbox.Process {
	w.mu.Lock()
	id := w.rec.Containers[c.Name].Process
	w.mu.Unlock()
	if id.PID == 0 {
		return nil
	}
	for {
		p, exit, err := w.m.cfg.Launcher.Adopt(id)
		if err == nil {
			w.log().Info("container adopted", "container", c.Name, "pid", id.PID)
			w.setProcess(c.Name, p)
			return p
		}
		if errors.Is(err, sandbox.ErrGone) {
			exit.At = time.Now()
			w.recordExit(c, exit, true)
			return nil
		}
		// Not knowing is no reason to start it twice.
		w.log().Warn("container not adopted yet", "container", c.Name, "error", err)
		if !sleep(w.ctx, time.Second) {
			return nil
		}
	}
}

func (w *worker) setProcess(name string, p *sandbox.Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[name] = p
}

// backOff waits until the container may start again; false: it is not to start.
func (w *worker) backOff(c *corev1.Container, ended <-chan struct{}) bool {
	w.mu.Lock()
	r := w.rec.Containers[c.Name]
	crashes, immediate := r.Crashes, r.Interrupted
	w.mu.Unlock()
	if crashes == 0 || immediate {
		return w.ctx.Err() == nil && !isClosed(ended)
	}
	delay := w.m.cfg.Backoff.delay(crashes)
	message := fmt.Sprintf("back-off %s restarting container %s", delay, c.Name)
	w.update(func(r *podRecord) { wait(r.Containers[c.Name], "CrashLoopBackOff", message) })
	w.event(corev1.EventTypeWarning, "BackOff", message)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.restarts[c.Name]: // its image has changed: try at once
		return true
	case <-w.ctx.Done():
	case <-ended:
	}
	return false
}

// wait makes the container wait for a reason; how it ended before moves to its last state.
func wait(r *containerRecord, reason, message string) {
	if r.Status.State.Terminated != nil {
		r.Status.LastTerminationState = r.Status.State
	}
	r.Status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// supervise watches a running container until it has ended, by itself or because it must.
func (w *worker) supervise(name string, p *sandbox.Process, ended <-chan struct{}) {
	c := w.container(name)
	stopProbes := w.probe(c, p)
	select {
	case <-p.Done():
	case <-w.ctx.Done():
		w.terminate(c, p, "the Pod is stopped", nil)
	case <-ended:
		w.terminate(c, p, "the Pod's containers have ended", nil)
	case r := <-w.restarts[name]:
		w.terminate(c, p, r.reason, r.graceSeconds)
		stopProbes()
		w.recordExit(c, p.Exit(), r.immediate)
		return
	}
	stopProbes()
	if isClosed(ended) {
		w.recordEnd(c, p.Exit())
	} else {
		w.recordExit(c, p.Exit(), false)
	}
}

// probe starts the container's probes.
func (w *worker) probe(c *corev1.Container, p *sandbox.Process) (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	w.mu.Lock()
	status := w.rec.Containers[c.Name].Status
	w.mu.Unlock()
	state := probes.State{Started: status.Started != nil && *status.Started, Ready: status.Ready}
	target := probes.Target{
		IP: w.facts().PodIP, Container: c,
		Exec: func(ctx context.Context, command []string) (int, string, error) {
			return w.execOutput(ctx, c.Name, command)
		},
	}
	yes := true
	call := probes.Callbacks{
		Started: func() { w.updateRunning(c.Name, p, func(s *corev1.ContainerStatus) { s.Started = &yes }) },
		Ready:   func(ready bool) { w.updateRunning(c.Name, p, func(s *corev1.ContainerStatus) { s.Ready = ready }) },
		Failed: func(kind probes.Kind, err error) {
			w.event(corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe of container %s failed: %v", kind, c.Name, err))
		},
		Kill: func(kind probes.Kind, grace *int64) {
			w.requestRestart(c.Name, restart{reason: fmt.Sprintf("its %s probe failed", kind), graceSeconds: grace})
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		probes.Run(ctx, target, state, call)
	}()
	return func() {
		cancel()
		<-done
	}
}

// updateRunning changes the status of a container unless it has ended meanwhile.
func (w *worker) updateRunning(name string, p *sandbox.Process, change func(*corev1.ContainerStatus)) {
	w.update(func(r *podRecord) {
		c := r.Containers[name]
		if c.Process == p.Identity() && c.Status.State.Running != nil {
			change(&c.Status)
		}
	})
}

// recordExit records how a run ended and whether there will be another one. immediate: without back-off.
func (w *worker) recordExit(c *corev1.Container, exit sandbox.Exit, immediate bool) {
	terminated := w.terminated(c, exit)
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	w.update(func(r *podRecord) {
		again := restarts(r.Pod, c, exit)
		interrupted := immediate
		switch cause {
		case stopDeleted, stopFailed:
			again = false
		case stopNode:
			// Stopped with the node, whatever its exit code: it goes on with the node.
			interrupted = true
			again = policy(r.Pod, c) != corev1.RestartPolicyNever
		}
		settle(r.Containers[c.Name], terminated, again, interrupted, w.m.cfg.Backoff)
	})
	w.setProcess(c.Name, nil)
}

// recordEnd records the end of a sidecar that was stopped because it is not needed any more.
func (w *worker) recordEnd(c *corev1.Container, exit sandbox.Exit) {
	terminated := w.terminated(c, exit)
	w.update(func(r *podRecord) { settle(r.Containers[c.Name], terminated, false, false, w.m.cfg.Backoff) })
	w.setProcess(c.Name, nil)
}

// settle puts an end on record.
func settle(r *containerRecord, t *corev1.ContainerStateTerminated, again, interrupted bool, b Backoff) {
	no := false
	if running := r.Status.State.Running; running != nil {
		t.StartedAt = running.StartedAt
	}
	if t.FinishedAt.Sub(t.StartedAt.Time) >= b.ResetAfter && !t.StartedAt.IsZero() {
		r.Crashes = 0
	}
	if !interrupted {
		r.Crashes++
	}
	r.Interrupted = interrupted
	r.Process = sandbox.Identity{}
	r.Done = !again
	r.Status.Ready, r.Status.Started = false, &no
	r.Status.State = corev1.ContainerState{Terminated: t}
}

// policy returns the restart policy of a container: init containers never run again once they have succeeded.
func policy(pod *corev1.Pod, c *corev1.Container) corev1.RestartPolicy {
	if isSidecar(c) {
		return corev1.RestartPolicyAlways
	}
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == c.Name && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways {
			return corev1.RestartPolicyOnFailure
		}
	}
	if pod.Spec.RestartPolicy == "" {
		return corev1.RestartPolicyAlways
	}
	return pod.Spec.RestartPolicy
}

// restarts says whether a container is started again after an exit.
func restarts(pod *corev1.Pod, c *corev1.Container, exit sandbox.Exit) bool {
	switch policy(pod, c) {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return !exit.Known || exit.Code != 0
	}
	return true
}

// terminated describes the end of a run. Exit codes of ends nobody saw are 137, as with the kubelet.
func (w *worker) terminated(c *corev1.Container, exit sandbox.Exit) *corev1.ContainerStateTerminated {
	w.mu.Lock()
	status := w.rec.Containers[c.Name].Status
	w.mu.Unlock()
	t := &corev1.ContainerStateTerminated{
		ExitCode: int32(exit.Code), Signal: int32(exit.Signal), ContainerID: status.ContainerID,
		FinishedAt: metav1.NewTime(exit.At).Rfc3339Copy(),
	}
	if status.State.Running != nil {
		t.StartedAt = status.State.Running.StartedAt
	}
	outOfMemory := exit.Signal == 9 && w.m.cfg.Cgroups != nil && w.m.cfg.Cgroups.OutOfMemory(string(w.uid), c.Name)
	switch {
	case !exit.Known:
		t.ExitCode, t.Reason = 137, "ContainerStatusUnknown"
		t.Message = "The container ended while the node was not running"
	case outOfMemory:
		t.Reason = "OOMKilled"
	case exit.Code == 0:
		t.Reason = "Completed"
	default:
		t.Reason = "Error"
	}
	if message := w.terminationMessage(c, status.RestartCount, exit); message != "" {
		t.Message = message
	}
	return t
}
