package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// containerNamespaces are those a command joins: a container's own.
const containerNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// Command is a command to run in a running container.
type Command struct {
	// Spec gives command, environment, directory, identity and limits. Its Root is ignored.
	Spec *spec.Spec
	// Stdin, Stdout and Stderr are the command's standard files.
	Stdin, Stdout, Stderr *os.File
	// Terminal makes Stdin the controlling terminal of a new session.
	Terminal bool
}

// Run starts a command in the container p is the first process of. The command ends with the container. Signals sent
// to it reach its whole process group.
func (l *Launcher) Run(p *Process, c Command) (*Process, error) {
	s := *c.Spec
	s.Root, s.Hostname = nil, ""
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: c.Terminal}
	stdio := [3]*os.File{c.Stdin, c.Stdout, c.Stderr}
	switch l.level {
	case LevelPlain:
		s.KeepIdentity, s.Capabilities = true, nil
		return l.launch(&s, attr, stdio, startHooks{group: true})
	case LevelUser:
		// A process with several threads, as every Go program is, cannot join a user namespace.
		return nil, fmt.Errorf("cannot run a command in the container: it needs a node that runs as root")
	}
	return l.launch(&s, attr, stdio, startHooks{group: true, spawn: p.inside})
}

// inside forks from a thread that has joined the container's namespaces. Joining a PID namespace only affects the
// thread's children, which is what is wanted.
func (p *Process) inside(argv0 string, attr *syscall.ProcAttr) (pid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the runtime ends the thread with the goroutine, and nobody else gets to use it.
		runtime.LockOSThread()
		// The file system attributes are shared between threads until now; a mount namespace cannot be joined so.
		if err = unix.Unshare(unix.CLONE_FS); err != nil {
			err = fmt.Errorf("cannot separate from the node: %w", err)
			return
		}
		p.mu.Lock()
		if p.fd < 0 {
			err = ErrGone
		} else if err = unix.Setns(p.fd, containerNamespaces); err != nil {
			err = fmt.Errorf("cannot join the container: %w", err)
		}
		p.mu.Unlock()
		if err == nil {
			pid, err = forkExec(argv0, attr)
		}
	}()
	<-done
	return pid, err
}

// Environment returns the environment the container's first process was started with.
func (p *Process) Environment() ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.id.PID))
	if err != nil {
		return nil, fmt.Errorf("cannot read the container's environment: %w", err)
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == 0 }), nil
}
