package pods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/cluster/node/logs"
	"gouv.tg/messagerie/cluster/node/sandbox"
)

// Pauses between attempts to prepare a container.
const (
	firstAttempt = 100 * time.Millisecond
	lastAttempt  = 5 * time.Second
)

// startContainer starts a container, waiting for as long as something it needs is missing. It returns nil when the Pod
// is to stop, or when the container's command could not be executed, which is recorded as an end.
func (w *worker) startContainer(name string, ended <-chan struct{}) *sandbox.Process {
	select {
	case <-w.confirmed:
	case <-w.ctx.Done():
		return nil
	}
	for delay := firstAttempt; ; delay = min(2*delay, lastAttempt) {
		c := w.container(name)
		p, err := w.tryStart(c)
		if err == nil {
			w.event(corev1.EventTypeNormal, "Started", "Started container "+name)
			if w.postStart(c, p) {
				return p
			}
			return nil
		}
		var failed *sandbox.StartError
		if errors.As(err, &failed) {
			w.event(corev1.EventTypeWarning, "Failed", fmt.Sprintf("Container %s: %v", name, err))
			w.recordStartError(c, failed)
			return nil
		}
		reason := "CreateContainerError"
		var why *waitingError
		if errors.As(err, &why) {
			reason = why.reason
		}
		if delay == firstAttempt || delay == lastAttempt {
			w.event(corev1.EventTypeWarning, "Failed", fmt.Sprintf("Container %s: %v", name, err))
		}
		w.update(func(r *podRecord) { wait(r.Containers[name], reason, err.Error()) })
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-w.ctx.Done():
			timer.Stop()
			return nil
		case <-ended:
			timer.Stop()
			return nil
		}
	}
}

// tryStart prepares and starts a container once.
func (w *worker) tryStart(c *corev1.Container) (*sandbox.Process, error) {
	ctx, cancel := context.WithTimeout(w.ctx, startTimeout)
	defer cancel()
	s, err := w.describe(ctx, c)
	if err != nil {
		return nil, err
	}
	id, err := identify(w.pod(), c)
	if err != nil {
		return nil, waiting("CreateContainerConfigError", err)
	}
	if err := w.prepareDir(c.Name, id); err != nil {
		return nil, fmt.Errorf("cannot prepare the container: %w", err)
	}
	run := w.nextRun(c.Name)
	output, err := logs.Create(w.logPath(c.Name, run), int(id.uid), int(id.gid))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	w.removeLogs(c.Name, run-2)
	container := sandbox.Container{Spec: s, Output: output}
	if cgroups := w.m.cfg.Cgroups; cgroups != nil {
		if err := cgroups.RemoveContainer(string(w.uid), c.Name); err != nil {
			return nil, err
		}
		dir, err := cgroups.Create(string(w.uid), c.Name, limits(c))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		container.Cgroup = dir
	}
	drain(w.restarts[c.Name])
	p, err := w.m.cfg.Launcher.Start(container, func(process sandbox.Identity) error {
		return w.recordStart(c, process, run)
	})
	if err != nil {
		return nil, err
	}
	w.setProcess(c.Name, p)
	w.update(func(*podRecord) {}) // reports what recordStart has written
	return p, nil
}

func drain(ch chan restart) {
	select {
	case <-ch:
	default:
	}
}

// nextRun returns the number of the run that begins: 0 is the first.
func (w *worker) nextRun(name string) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rec.Containers[name]
	if r.Started == 0 {
		return 0
	}
	return r.Status.RestartCount + 1
}

// recordStart puts a process on record before it may run. The status is reported once it does.
func (w *worker) recordStart(c *corev1.Container, process sandbox.Identity, run int32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rec.Containers[c.Name]
	no := false
	r.Process = process
	r.Started++
	r.Interrupted = false
	s := &r.Status
	if s.State.Terminated != nil {
		s.LastTerminationState = s.State
	}
	s.Image, s.ImageID = c.Image, c.Image
	s.ContainerID = fmt.Sprintf("process://%s/%d", w.uid, process.PID)
	s.RestartCount, s.Ready, s.Started = run, false, &no
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now().Rfc3339Copy()}}
	return w.rec.save(w.m.cfg.Dir)
}

// recordStartError records a container whose command could not be executed as a run that ended at once.
func (w *worker) recordStartError(c *corev1.Container, err *sandbox.StartError) {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	w.update(func(r *podRecord) {
		again := restarts(r.Pod, c, sandbox.Exit{Code: 128, Known: true}) && cause != stopDeleted && cause != stopFailed
		settle(r.Containers[c.Name], &corev1.ContainerStateTerminated{
			ExitCode: 128, Reason: "StartError", Message: err.Reason, FinishedAt: metav1.Now().Rfc3339Copy(),
		}, again, false, w.m.cfg.Backoff)
	})
}

// postStart runs the postStart hook; a container whose hook fails is ended.
func (w *worker) postStart(c *corev1.Container, p *sandbox.Process) bool {
	if c.Lifecycle == nil || c.Lifecycle.PostStart == nil {
		return true
	}
	err := w.runHook(w.ctx, c, c.Lifecycle.PostStart)
	if err == nil || w.ctx.Err() != nil {
		return true
	}
	w.event(corev1.EventTypeWarning, "FailedPostStartHook", fmt.Sprintf("Container %s: %v", c.Name, err))
	w.terminate(c, p, "its postStart hook failed", nil)
	w.recordExit(c, p.Exit(), false)
	return false
}

// logPath returns the log of one run of a container.
func (w *worker) logPath(name string, run int32) string {
	return filepath.Join(w.containerDir(name), fmt.Sprintf("%d.log", run))
}

// removeLogs removes the logs of a run and of those before it: the present and the previous one are kept.
func (w *worker) removeLogs(name string, run int32) {
	for ; run >= 0; run-- {
		path := w.logPath(name, run)
		os.Remove(path + ".times")
		if os.Remove(path) != nil {
			return
		}
	}
}

// logPaths returns the present logs of the Pod's containers.
func (w *worker) logPaths() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var paths []string
	for name, r := range w.rec.Containers {
		if r.Started > 0 {
			paths = append(paths, w.logPath(name, r.Status.RestartCount))
		}
	}
	return paths
}

// Bounds of a termination message, in bytes.
const (
	maxMessage    = 4096
	maxLogMessage = 2048
)

// terminationMessage returns what the container left as its last words.
func (w *worker) terminationMessage(c *corev1.Container, run int32, exit sandbox.Exit) string {
	if f, err := os.Open(w.messagePath(c.Name)); err == nil {
		defer f.Close()
		if data, err := io.ReadAll(io.LimitReader(f, maxMessage)); err == nil && len(data) > 0 {
			return strings.ToValidUTF8(string(data), "?")
		}
	}
	if c.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError || exit.Code == 0 {
		return ""
	}
	f, err := os.Open(w.logPath(c.Name, run))
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxLogMessage {
		_, _ = f.Seek(info.Size()-maxLogMessage, io.SeekStart)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLogMessage))
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(data), "?")
}
