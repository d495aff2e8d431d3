// Package cgroup limits the processor, memory and processes of containers by cgroup v2, where the machine lets the
// node write to it.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Root is where cgroup v2 is mounted.
const Root = "/sys/fs/cgroup"

// controllers are those the node needs.
var controllers = []string{"cpu", "memory", "pids"}

// cpuPeriod is the period of cpu.max in microseconds, the kubelet's.
const cpuPeriod = 100_000

// Limits of one container; zero values do not limit.
type Limits struct {
	// MilliCPU is the most the container may use, in thousandths of a processor.
	MilliCPU int64
	// MilliCPURequest is its share when processors are scarce.
	MilliCPURequest int64
	// MemoryBytes is the most memory; beyond it the kernel kills.
	MemoryBytes int64
	// PIDs is the most processes and threads.
	PIDs int64
}

// Tree is the part of the hierarchy that belongs to one node.
type Tree struct {
	dir string
}

// Open prepares root/messagerie/name, usually with Root. The error says what the machine does not allow.
func Open(root, name string) (*Tree, error) {
	if err := Check(root); err != nil {
		return nil, err
	}
	dir := root
	for _, part := range []string{"", "messagerie", name} {
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("cannot create the cgroup: %w", err)
		}
		if err := enable(dir); err != nil {
			return nil, err
		}
	}
	return &Tree{dir: dir}, nil
}

// Check says, without changing anything, why limits cannot be set here; nil: they should be.
func Check(root string) error {
	data, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cgroup v2 is not mounted at %s", root)
	}
	if err != nil {
		return fmt.Errorf("cannot read the cgroup controllers: %w", err)
	}
	available := strings.Fields(string(data))
	for _, want := range controllers {
		if !contains(available, want) {
			return fmt.Errorf("cgroup v2 has no %s controller here", want)
		}
	}
	if err := unix.Access(filepath.Join(root, "cgroup.subtree_control"), unix.W_OK); err != nil {
		return fmt.Errorf("cgroup v2 is not writable: %w", err)
	}
	return nil
}

// enable hands the controllers down to the children of dir.
func enable(dir string) error {
	value := "+" + strings.Join(controllers, " +")
	if err := write(dir, "cgroup.subtree_control", value); err != nil {
		return fmt.Errorf("cannot use the cgroup controllers: %w", err)
	}
	return nil
}

// Create makes the cgroup of a container and returns its open directory, to start the process in.
func (t *Tree) Create(pod, container string, l Limits) (*os.File, error) {
	dir := filepath.Join(t.dir, pod)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot create the cgroup: %w", err)
	}
	if err := enable(dir); err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, container)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot create the cgroup: %w", err)
	}
	for _, s := range l.settings() {
		if err := write(dir, s.file, s.value); err != nil {
			return nil, fmt.Errorf("cannot limit the container: %w", err)
		}
	}
	return os.Open(dir)
}

type setting struct{ file, value string }

// settings returns what to write into the control files.
func (l Limits) settings() []setting {
	s := []setting{{"cpu.max", "max"}, {"memory.max", "max"}, {"pids.max", "max"}}
	if l.MilliCPU > 0 {
		s[0].value = fmt.Sprintf("%d %d", max(l.MilliCPU*cpuPeriod/1000, 1000), cpuPeriod)
	}
	if l.MemoryBytes > 0 {
		s[1].value = strconv.FormatInt(l.MemoryBytes, 10)
	}
	if l.PIDs > 0 {
		s[2].value = strconv.FormatInt(l.PIDs, 10)
	}
	if l.MilliCPURequest > 0 {
		s = append(s, setting{"cpu.weight", strconv.FormatInt(weight(l.MilliCPURequest), 10)})
	}
	return s
}

// weight maps a request to cpu.weight as the kubelet does: shares of 2 to 262144 onto 1 to 10000.
func weight(milliCPU int64) int64 {
	shares := min(max(milliCPU*1024/1000, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

// OutOfMemory says whether the kernel killed in the container's cgroup for lack of memory.
func (t *Tree) OutOfMemory(pod, container string) bool {
	data, err := os.ReadFile(filepath.Join(t.dir, pod, container, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// RemoveContainer removes the cgroup of an ended container, so that its successor counts anew.
func (t *Tree) RemoveContainer(pod, container string) error {
	return remove(filepath.Join(t.dir, pod, container))
}

// Remove kills whatever is left in the cgroups of a Pod and removes them.
func (t *Tree) Remove(pod string) error {
	dir := filepath.Join(t.dir, pod)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove the cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return remove(dir)
}

// remove removes one cgroup. Killed processes leave it a moment later.
func remove(dir string) error {
	_ = write(dir, "cgroup.kill", "1")
	var err error
	for range 50 {
		if err = unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("cannot remove the cgroup: %w", err)
}

// write writes a control file, which must exist.
func write(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
