package distribution

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bootTime is how long a child may take to listen.
	bootTime = 15 * time.Second
	bootPoll = 10 * time.Millisecond
	// leaveTime is how long a child that was told to end may take before it is killed.
	leaveTime = 5 * time.Second
	// niceness of workers: a measuring device that waits for a processor, on the machine of its target, measures itself.
	niceness = -10
)

// Children are workers in processes of this same program. They end with it, however it ends.
type Children struct {
	dir      string
	children []*child
}

// child is one of them.
type child struct {
	*Remote
	cmd    *exec.Cmd
	stderr *prefixed
	exited chan struct{}
	err    error // why it ended; to be read after exited
}

// StartChildren starts n processes of this program and returns once all listen. args makes the arguments of the one that is
// to serve, by ServeUnix, at a socket: a path in a directory that only this user can reach. Its errors go to stderr, line by line with
// the worker's name before them, up to a bound. ctx is that of starting only; Close ends the children.
func StartChildren(ctx context.Context, n int, args func(socket string) []string, stderr io.Writer) (*Children, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "loadtest-") // of mode 0700
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory for the workers: %w", err)
	}
	c := &Children{dir: dir}
	var mu sync.Mutex // one line at a time
	for i := range n {
		name := fmt.Sprintf("worker-%d", i)
		socket := filepath.Join(dir, name)
		w := &child{
			Remote: DialUnix(name, socket), cmd: exec.Command(program, args(socket)...),
			stderr: &prefixed{prefix: name + ": ", mu: &mu, to: stderr}, exited: make(chan struct{}),
		}
		if err := w.start(); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.children = append(c.children, w)
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for i, w := range c.children {
		if err := w.await(ctx, filepath.Join(dir, fmt.Sprintf("worker-%d", i))); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Workers are the children, in their order.
func (c *Children) Workers() []Worker {
	var out []Worker
	for _, w := range c.children {
		out = append(out, w)
	}
	return out
}

// Close ends and reaps the children: first politely, then not.
func (c *Children) Close() error {
	for _, w := range c.children {
		w.signal(syscall.SIGTERM)
	}
	timer := time.NewTimer(leaveTime)
	defer timer.Stop()
	for _, w := range c.children {
		select {
		case <-w.exited:
		case <-timer.C:
			timer.Reset(0) // the others get no more time either
			w.signal(syscall.SIGKILL)
			<-w.exited
		}
		w.Disconnect()
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("cannot remove the workers' directory: %w", err)
	}
	return nil
}

// start starts the process in a thread that stays until its end, and whose priority it inherits: the kernel sends the parent's
// death signal when the thread ends that made the child, not the process (prctl(2), PR_SET_PDEATHSIG). Between sessions,
// processors are shared out by autogroup, whatever their niceness (sched(7)). Only the superuser may be preferred.
func (w *child) start() error {
	w.cmd.Stderr = w.stderr
	w.cmd.WaitDelay = leaveTime
	w.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setsid:    true, // Ctrl-C is the coordinator's to handle
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends here
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
		err := w.cmd.Start()
		if err == nil {
			_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", w.cmd.Process.Pid), strconv.AppendInt(nil, niceness, 10), 0)
		}
		started <- err
		if err != nil {
			return
		}
		w.err = w.cmd.Wait()
		w.stderr.flush()
		close(w.exited)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start %s: %w", w.Name(), err)
	}
	return nil
}

// await waits until the child listens.
func (w *child) await(ctx context.Context, socket string) error {
	tick := time.NewTicker(bootPoll)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-w.exited:
			return fmt.Errorf("%s: %w", w.Name(), w.Lost())
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %w", w.Name(), ctx.Err())
		case <-tick.C:
		}
	}
}

// Lost says why the process ended.
func (w *child) Lost() error {
	select {
	case <-w.exited:
	default:
		return nil
	}
	how := "exit status 0"
	if w.err != nil {
		how = w.err.Error()
	}
	if last := w.stderr.lastLine(); last != "" {
		return fmt.Errorf("its process ended (%s): %s", how, last)
	}
	return fmt.Errorf("its process ended (%s)", how)
}

func (w *child) signal(s syscall.Signal) {
	select {
	case <-w.exited: // its number may belong to another by now
	default:
		// It may end at this moment; Wait tells.
		_ = w.cmd.Process.Signal(s)
	}
}

// ServeUnix is Serve at a Unix socket that only this user can reach.
func ServeUnix(ctx context.Context, socket string, o ServerOptions) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("cannot listen for the coordinator: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return errors.Join(fmt.Errorf("cannot keep others from the socket: %w", err), l.Close())
	}
	return Serve(ctx, l, o)
}
