package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/cluster/node/logs"
)

// ErrNotFound is returned for Pods and containers the Manager does not run.
var ErrNotFound = errors.New("not found on this node")

// Manager runs the Pods of one node.
type Manager struct {
	cfg Config

	mu      sync.Mutex
	workers map[types.UID]*worker
	names   map[string]*worker // the latest Pod of each namespace/name
	closing bool

	stopSampler context.CancelFunc
	sampler     sync.WaitGroup
}

// New makes a Manager and takes up the Pods of an earlier run: running processes are adopted. Those that ended
// meanwhile are restarted, as their Pod's policy says, once Set has confirmed that the Pod still exists.
func New(cfg Config) (*Manager, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the Pods' directory: %w", err)
	}
	m := &Manager{cfg: cfg, workers: make(map[types.UID]*worker), names: make(map[string]*worker)}
	if err := m.load(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stopSampler = cancel
	m.sampler.Go(func() { m.sampleLogs(ctx) })
	return m, nil
}

// load starts a worker for every Pod on record.
func (m *Manager) load() error {
	entries, err := os.ReadDir(m.cfg.Dir)
	if err != nil {
		return fmt.Errorf("cannot read the Pods' directory: %w", err)
	}
	for _, e := range entries {
		uid := types.UID(e.Name())
		r, err := loadRecord(m.cfg.Dir, uid)
		if err != nil {
			// Either nothing was started yet, as a record comes first, or the machine has been without power since,
			// and nothing runs any more.
			m.cfg.Logger.Warn("a Pod's directory without a record is removed", "uid", uid, "error", err)
			if err := m.cleanUp(uid); err != nil {
				return err
			}
			continue
		}
		m.mu.Lock()
		m.start(newWorker(m, r, true))
		m.mu.Unlock()
	}
	return nil
}

// key is the name under which successive Pods follow each other.
func key(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }

// start runs a worker after the one of the same name, if there is one. The lock is held.
func (m *Manager) start(w *worker) {
	w.predecessor = m.names[key(w.pod())]
	m.workers[w.uid] = w
	m.names[key(w.pod())] = w
	go w.run()
}

// Set starts a Pod, or tells a running one what has changed of it.
func (m *Manager) Set(pod *corev1.Pod) {
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		return
	}
	w := m.workers[pod.UID]
	if w != nil {
		m.mu.Unlock()
		w.change(pod)
		w.confirm()
		return
	}
	if old := m.names[key(pod)]; old != nil {
		// Its object is gone, or there could be no other one of its name.
		old.stop(stopDeleted, old.grace(nil))
	}
	m.start(newWorker(m, newRecord(pod), false))
	m.mu.Unlock()
}

// Delete stops a Pod within the grace period (nil: its own) and removes everything of it. A later call may shorten the
// period.
func (m *Manager) Delete(pod *corev1.Pod, graceSeconds *int64) error {
	w := m.worker(pod.UID)
	if w == nil {
		return ErrNotFound
	}
	w.change(pod)
	w.stop(stopDeleted, w.grace(graceSeconds))
	return nil
}

// Find returns the uid of the latest Pod of a name.
func (m *Manager) Find(namespace, name string) (types.UID, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.names[namespace+"/"+name]
	if w == nil {
		return "", false
	}
	return w.uid, true
}

// Get returns a Pod and its status.
func (m *Manager) Get(uid types.UID) (Report, bool) {
	w := m.worker(uid)
	if w == nil {
		return Report{}, false
	}
	return w.report(), true
}

// List returns all Pods and their statuses.
func (m *Manager) List() []Report {
	m.mu.Lock()
	workers := make([]*worker, 0, len(m.workers))
	for _, w := range m.workers {
		workers = append(workers, w)
	}
	m.mu.Unlock()
	reports := make([]Report, len(workers))
	for i, w := range workers {
		reports[i] = w.report()
	}
	return reports
}

func (m *Manager) worker(uid types.UID) *worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workers[uid]
}

// Shutdown stops all Pods, each within its own grace period but none later than limit, and leaves them on record: the
// next Manager starts them again. It returns when they have ended, or with an error some time after limit.
func (m *Manager) Shutdown(limit time.Duration) error {
	m.mu.Lock()
	m.closing = true
	workers := make([]*worker, 0, len(m.workers))
	for _, w := range m.workers {
		workers = append(workers, w)
	}
	m.mu.Unlock()
	for _, w := range workers {
		w.stop(stopNode, min(w.grace(nil), limit))
	}
	late := time.NewTimer(limit + 10*time.Second)
	defer late.Stop()
	defer func() {
		m.stopSampler()
		m.sampler.Wait()
	}()
	for _, w := range workers {
		select {
		case <-w.done:
		case <-late.C:
			return fmt.Errorf("cannot stop all Pods: %s still runs", key(w.pod()))
		}
	}
	return nil
}

// forget removes an ended worker.
func (m *Manager) forget(w *worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.workers, w.uid)
	if m.names[key(w.pod())] == w {
		delete(m.names, key(w.pod()))
	}
}

// cleanUp removes what is on disk of a Pod whose processes have ended.
func (m *Manager) cleanUp(uid types.UID) error {
	if m.cfg.Cgroups != nil {
		if err := m.cfg.Cgroups.Remove(string(uid)); err != nil {
			return err
		}
	}
	if err := m.cfg.Volumes.TearDown(uid); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(m.cfg.Dir, string(uid))); err != nil {
		return fmt.Errorf("cannot remove the Pod's directory: %w", err)
	}
	return nil
}

// sampleLogs keeps the times and sizes of all logs.
func (m *Manager) sampleLogs(ctx context.Context) {
	open := make(map[string]*logs.Log)
	ticker := time.NewTicker(logs.SampleInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		current := make(map[string]*logs.Log)
		for _, path := range m.logPaths() {
			l := open[path]
			if l == nil {
				l = logs.Open(path)
			}
			current[path] = l
			if err := l.Sample(time.Now()); err != nil && !errors.Is(err, os.ErrNotExist) {
				m.cfg.Logger.Warn("log not sampled", "error", err)
			}
		}
		open = current
	}
}

// logPaths returns the present log of every container that was started.
func (m *Manager) logPaths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var paths []string
	for _, w := range m.workers {
		paths = append(paths, w.logPaths()...)
	}
	return paths
}
