package pods

import (
	"context"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/cluster/node/logs"
)

// Logs copies a container's log to out: of its present run, or of the one before.
func (m *Manager) Logs(ctx context.Context, uid types.UID, container string, previous bool, o logs.Options, out io.Writer) error {
	w := m.worker(uid)
	if w == nil {
		return ErrNotFound
	}
	path, run, err := w.findLog(container, previous)
	if err != nil {
		return err
	}
	if previous {
		o.Follow = false
	}
	o.Ended = func() bool { return w.logEnded(container, run) }
	return logs.Read(ctx, path, o, out)
}

// findLog returns the path of a container's log and the run it belongs to.
func (w *worker) findLog(container string, previous bool) (string, int32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rec.Containers[container]
	switch {
	case r == nil:
		return "", 0, fmt.Errorf("container %s: %w", container, ErrNotFound)
	case r.Started == 0:
		return "", 0, fmt.Errorf("container %s has not been started", container)
	case previous && r.Status.RestartCount == 0:
		return "", 0, fmt.Errorf("container %s has not been restarted: there is no previous log", container)
	}
	run := r.Status.RestartCount
	if previous {
		run--
	}
	return w.logPath(container, run), run, nil
}

// logEnded says whether nothing more will be written to the log of a run.
func (w *worker) logEnded(container string, run int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rec.Containers[container]
	return r == nil || r.Process.PID == 0 || r.Status.RestartCount != run
}

// HasLog returns why a container has no log to read, nil if it has.
func (m *Manager) HasLog(uid types.UID, container string, previous bool) error {
	w := m.worker(uid)
	if w == nil {
		return ErrNotFound
	}
	_, _, err := w.findLog(container, previous)
	return err
}
