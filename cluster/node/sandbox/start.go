package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// Container is what Start needs beside the description podinit gets.
type Container struct {
	Spec *spec.Spec
	// Output receives the process's standard output and error. It should be opened for appending.
	Output *os.File
	// Cgroup is an open cgroup v2 directory to start the process in, or nil.
	Cgroup *os.File
}

// Start starts a container. Before the process can do anything, record is called with its identity: when record, or
// the node, fails, the process ends without having done anything. Start returns once the container's command runs; a
// *StartError says why it does not.
func (l *Launcher) Start(c Container, record func(Identity) error) (*Process, error) {
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("cannot start the container: %w", err)
	}
	defer stdin.Close()
	s := *c.Spec
	attr := &syscall.SysProcAttr{Setsid: true}
	l.isolate(&s, attr)
	if c.Cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(c.Cgroup.Fd())
	}
	hooks := startHooks{record: record, group: l.level == LevelPlain}
	return l.launch(&s, attr, [3]*os.File{stdin, c.Output, c.Output}, hooks)
}

// isolate sets the namespaces of the launcher's level.
func (l *Launcher) isolate(s *spec.Spec, attr *syscall.SysProcAttr) {
	if l.level == LevelPlain {
		s.Root, s.Hostname, s.KeepIdentity, s.Capabilities = nil, "", true, nil
		return
	}
	attr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if l.level == LevelUser {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: int(s.UID), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: int(s.GID), HostID: os.Getegid(), Size: 1}}
		// Capabilities in the new namespace would not outlive the execve of podinit, which is not root there.
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
		// One id is mapped and the process has it already.
		s.KeepIdentity, s.Groups, s.Capabilities = true, nil, nil
	}
}

// startHooks are what differs between a container and a command in one.
type startHooks struct {
	// record persists the process before it may run; nil for commands.
	record func(Identity) error
	// spawn forks and executes; nil for forkExec. Commands enter the container's namespaces first.
	spawn func(argv0 string, attr *syscall.ProcAttr) (int, error)
	// group sends signals to the process's group: it has no PID namespace that would end with it.
	group bool
}

// launch starts podinit, records it, lets it go on and waits until it has become the command.
func (l *Launcher) launch(s *spec.Spec, attr *syscall.SysProcAttr, stdio [3]*os.File, hooks startHooks) (*Process, error) {
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start the container: %w", err)
	}
	defer specWrite.Close()
	statusRead, statusWrite, err := os.Pipe()
	if err != nil {
		specRead.Close()
		return nil, fmt.Errorf("cannot start the container: %w", err)
	}
	defer statusRead.Close()

	pidfd := -1
	attr.PidFD = &pidfd
	proc := &syscall.ProcAttr{Env: []string{}, Sys: attr, Files: []uintptr{
		stdio[0].Fd(), stdio[1].Fd(), stdio[2].Fd(), specRead.Fd(), statusWrite.Fd(),
	}}
	if hooks.spawn == nil {
		hooks.spawn = forkExec
	}
	pid, err := hooks.spawn(l.initPath(), proc)
	specRead.Close()
	statusWrite.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot start podinit: %w", err)
	}
	if pidfd < 0 {
		if pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
			_ = unix.Kill(pid, unix.SIGKILL)
			return nil, fmt.Errorf("cannot watch process %d: %w", pid, err)
		}
	}
	id, err := identify(pid)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		unix.Close(pidfd)
		return nil, err
	}
	p, err := watch(id, pidfd, true, hooks.group)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return nil, err
	}
	if err := release(p, s, specWrite, statusRead, hooks.record); err != nil {
		_ = p.Kill()
		<-p.Done()
		return nil, err
	}
	return p, nil
}

// release records the process and lets it run.
func release(p *Process, s *spec.Spec, specWrite, status *os.File, record func(Identity) error) error {
	if record != nil {
		if err := record(p.Identity()); err != nil {
			return fmt.Errorf("cannot record process %d: %w", p.id.PID, err)
		}
	}
	deadline := time.Now().Add(startTimeout)
	_ = specWrite.SetWriteDeadline(deadline)
	if err := spec.Write(specWrite, s); err != nil {
		return err
	}
	if err := specWrite.Close(); err != nil {
		return fmt.Errorf("cannot send the container: %w", err)
	}
	_ = status.SetReadDeadline(deadline)
	line, err := bufio.NewReaderSize(status, 4096).ReadString('\n')
	if reason := strings.TrimSpace(line); reason != "" {
		return &StartError{Reason: reason}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &StartError{Reason: fmt.Sprintf("the container was not built within %s", startTimeout)}
	}
	return nil // closed by execve; an early death shows as the process's exit
}

func forkExec(argv0 string, attr *syscall.ProcAttr) (int, error) {
	return syscall.ForkExec(argv0, []string{"podinit"}, attr)
}
