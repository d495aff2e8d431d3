package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bounds of what an installation may take.
const (
	startPatience = 3 * time.Minute
	stopPatience  = 60 * time.Second
)

// Options describe an installation.
type Options struct {
	// Dir is the folder to work in: Dir/data is the installation's own, Dir/up.stderr what it says.
	Dir string
	// Apply are files and folders of objects for the first start.
	Apply []string
	// Nodes on this machine; 0 means one.
	Nodes int
	// Ports as the flag of up takes it; empty: a base drawn once, so that a restart serves where the first start did.
	Ports string
	// Arguments are further ones of up, for every start.
	Arguments []string
}

// Installation is one data folder and, while it runs, the process of `messagerie up` on it. Its methods are for one
// goroutine, except those that only read.
type Installation struct {
	binary string
	o      Options

	mu  sync.Mutex // guards run
	run *run
}

// run is one life of the process.
type run struct {
	pid   int
	ready chan string // the ready line
	done  chan struct{}
	err   error // how it ended; read after done
}

// New describes an installation without starting it.
func New(o Options) (*Installation, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", o.Dir, err)
	}
	if o.Ports == "" {
		o.Ports = strconv.Itoa(15000 + rand.IntN(40000))
	}
	return &Installation{binary: binary, o: o}, nil
}

// Data is the data folder.
func (i *Installation) Data() string { return filepath.Join(i.o.Dir, "data") }

// Start runs `messagerie up` and waits until it says that it is ready; it returns how long that took. The first start
// applies Options.Apply, later ones resume. On failure the process is killed and the error holds what was logged.
func (i *Installation) Start(ctx context.Context) (time.Duration, error) {
	if i.current() != nil {
		return 0, errors.New("cannot start: it runs already")
	}
	_, err := os.Stat(filepath.Join(i.Data(), "kubeconfig"))
	args := append([]string{"up", "--data", i.Data(), "--ports", i.o.Ports}, i.o.Arguments...)
	if i.o.Nodes > 0 {
		args = append(args, "--nodes", strconv.Itoa(i.o.Nodes))
	}
	args = append(args, i.o.Arguments...)
	if err != nil { // the first start
		for _, file := range i.o.Apply {
			args = append(args, "--apply", file)
		}
	}
	began := time.Now()
	r, err := i.spawn(args)
	if err != nil {
		return 0, err
	}
	i.mu.Lock()
	i.run = r
	i.mu.Unlock()
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-r.ready:
		return time.Since(began), nil
	case <-r.done:
		err = fmt.Errorf("messagerie up ended before it was ready: %w", r.err)
	case <-timer.C:
		err = fmt.Errorf("messagerie up was not ready within %s", startPatience)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return 0, errors.Join(fmt.Errorf("%w\n%s", err, i.Evidence()), i.Kill9())
}

// spawn starts the process in a group of its own. Should this process die, the kernel asks it to stop.
func (i *Installation) spawn(args []string) (*run, error) {
	stderr, err := os.OpenFile(filepath.Join(i.o.Dir, "up.stderr"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	defer stderr.Close()
	fmt.Fprintf(stderr, "--- %s messagerie %s\n", time.Now().Format(time.RFC3339), strings.Join(args, " "))
	cmd := exec.Command(i.binary, args...)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdout, stdoutWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	cmd.Stdout = stdoutWrite
	r := &run{ready: make(chan string, 1), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal on the parent's death comes when the thread that forked ends: keep it for as long as the child lives.
		runtime.LockOSThread()
		err := cmd.Start()
		stdoutWrite.Close()
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.done)
		}
	}()
	if err := <-started; err != nil {
		stdout.Close()
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	r.pid = cmd.Process.Pid
	go r.read(stdout)
	return r, nil
}

// read looks for the ready line and then only keeps the pipe empty.
func (r *run) read(stdout *os.File) {
	defer stdout.Close()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready in ") {
			r.ready <- lines.Text()
			break
		}
	}
	_, _ = io.Copy(io.Discard, stdout)
}

func (i *Installation) current() *run {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run
}

// Running says whether the process runs.
func (i *Installation) Running() bool {
	r := i.current()
	if r == nil {
		return false
	}
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// PID is the process of `messagerie up`, 0 when there is none.
func (i *Installation) PID() int {
	if r := i.current(); r != nil {
		return r.pid
	}
	return 0
}

// Stop asks the process to stop and waits. It must end by itself, without an error.
func (i *Installation) Stop() error {
	r := i.current()
	if r == nil {
		return nil
	}
	_ = syscall.Kill(r.pid, syscall.SIGTERM) // not reaped before done: the pid is still its own
	select {
	case <-r.done:
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("messagerie up did not stop within %s\n%s", stopPatience, i.Evidence()), i.Kill9())
	}
	i.forget()
	if r.err != nil {
		return fmt.Errorf("messagerie up did not stop cleanly: %w\n%s", r.err, i.Evidence())
	}
	return nil
}

// Kill9 kills that one process; its Pods live on. It returns once the process is gone.
func (i *Installation) Kill9() error {
	r := i.current()
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
	default:
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
	}
	select {
	case <-r.done:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("process %d does not end although it was killed", r.pid)
	}
	i.forget()
	return nil
}

func (i *Installation) forget() {
	i.mu.Lock()
	i.run = nil
	i.mu.Unlock()
}
