// Package system starts processes, watches what they cost and ends them: processor time, memory and system calls of a server with
// everything that it started, from Linux's /proc.
package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a process may take to end after SIGTERM.
const patience = 15 * time.Second

// Process is a server's first process, with all that it started.
type Process struct {
	name  string
	log   string
	pid   int
	ended chan struct{}
	err   error // valid once ended is closed
}

// Adopt makes this process the parent of what its children leave behind, and has it told to end when its own parent dies.
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0))
}

// Start starts a command in a session of its own; what it says goes to the file log.
func Start(name, log string, command *exec.Cmd) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setsid = true
	command.SysProcAttr.Pdeathsig = syscall.SIGTERM
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &Process{name: name, log: log, pid: command.Process.Pid, ended: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Await calls try until it succeeds; it fails when the process ends, when ctx does, or after 30 seconds.
func (p *Process) Await(ctx context.Context, try func() error) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w%s", p.name, err, p.tail())
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %v%s", p.name, p.err, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail is the end of what the process said.
func (p *Process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-2000):])
}

// Stop ends the process and whatever it started: SIGTERM, and after 15 seconds SIGKILL.
func (p *Process) Stop() error {
	started := p.below()
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	var err error
	select {
	case <-p.ended:
	case <-time.After(patience):
		err = fmt.Errorf("%s did not end within %s", p.name, patience)
		started = p.below()
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.ended
	}
	// What outlives its master is now a child of this process.
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := orphans(started)
		if len(left) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return errors.Join(err, fmt.Errorf("%s left %d processes, which were killed", p.name, len(left)))
		}
	}
}

// orphans are those of pids that were left to this process, the dead ones reaped.
func orphans(pids []int) []int {
	var left []int
	for _, pid := range pids {
		if s, err := readStat(pid); err != nil || s.parent != os.Getpid() {
			continue
		}
		var status syscall.WaitStatus
		if reaped, _ := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); reaped == 0 {
			left = append(left, pid)
		}
	}
	return left
}

// below is everything that descends from the process.
func (p *Process) below() []int {
	return slices.DeleteFunc(descendants([]int{p.pid}), func(pid int) bool { return pid == p.pid })
}

// Group is several processes measured as one server.
type Group []*Process

// PIDs are all processes of the group.
func (g Group) PIDs() []int {
	var roots []int
	for _, p := range g {
		roots = append(roots, p.pid)
	}
	return descendants(roots)
}

// Stop ends the group, the last started first.
func (g Group) Stop() error {
	errs := make([]error, len(g))
	var stopping sync.WaitGroup
	for i, p := range slices.Backward(g) {
		stopping.Go(func() { errs[i] = p.Stop() })
	}
	stopping.Wait()
	return errors.Join(errs...)
}
