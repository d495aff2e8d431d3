package pods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"gouv.tg/messagerie/cluster/node/environment"
	"gouv.tg/messagerie/cluster/node/sandbox"
	"gouv.tg/messagerie/cluster/node/sandbox/spec"
)

// Streams connect a command in a container with whoever runs it. Any may be nil.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal gives the command a terminal: Stderr is not used.
	Terminal bool
	// Resize are the terminal's sizes in columns and rows.
	Resize <-chan [2]uint16
}

// Exec runs a command in a running container and returns its exit code. It ends with ctx.
func (m *Manager) Exec(ctx context.Context, uid types.UID, container string, command []string, s Streams) (int, error) {
	w := m.worker(uid)
	if w == nil {
		return 0, ErrNotFound
	}
	return w.exec(ctx, container, command, s)
}

// execOutput runs a command and returns its exit code and the beginning of its output.
func (w *worker) execOutput(ctx context.Context, container string, command []string) (int, string, error) {
	out := &head{limit: 4096}
	code, err := w.exec(ctx, container, command, Streams{Stdout: out, Stderr: out})
	return code, out.String(), err
}

// head keeps the beginning of what is written to it.
type head struct {
	mu    sync.Mutex
	limit int
	data  []byte
}

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.data = append(h.data, p[:min(len(p), h.limit-len(h.data))]...)
	return len(p), nil
}

// String returns what was kept.
func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.data)
}

func (w *worker) exec(ctx context.Context, name string, command []string, s Streams) (int, error) {
	c := w.container(name)
	w.mu.Lock()
	p := w.processes[name]
	w.mu.Unlock()
	if c == nil {
		return 0, fmt.Errorf("container %s: %w", name, ErrNotFound)
	}
	if p == nil || isClosed(p.Done()) {
		return 0, fmt.Errorf("container %s does not run", name)
	}
	description, err := w.describeCommand(c, p, command)
	if err != nil {
		return 0, err
	}
	files, err := connect(s, int(description.UID))
	if err != nil {
		return 0, err
	}
	started, err := w.m.cfg.Launcher.Run(p, sandbox.Command{
		Spec: description, Stdin: files.child[0], Stdout: files.child[1], Stderr: files.child[2], Terminal: s.Terminal,
	})
	files.closeChild()
	if err != nil {
		files.closeOwn()
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := files.copy(ctx, s)
	select {
	case <-started.Done():
	case <-ctx.Done():
		_ = started.Kill()
		<-started.Done()
		files.closeOwn()
		return 0, ctx.Err()
	}
	// What is left in the pipes; a process that outlives the command may keep them open.
	late := time.AfterFunc(outputTimeout, files.closeOwn)
	wait()
	late.Stop()
	files.closeOwn()
	return started.Exit().Code, nil
}

// outputTimeout bounds the wait for the output of a command that has ended.
const outputTimeout = 5 * time.Second

// describeCommand builds what podinit needs to become a command in a container: the container's identity, and the
// environment its process was started with.
func (w *worker) describeCommand(c *corev1.Container, p *sandbox.Process, command []string) (*spec.Spec, error) {
	pod := w.pod()
	id, err := identify(pod, c)
	if err != nil {
		return nil, err
	}
	env, err := p.Environment()
	if err != nil {
		return nil, err
	}
	if len(command) == 0 {
		return nil, fmt.Errorf("no command for container %s", c.Name)
	}
	return &spec.Spec{
		Hostname: environment.Hostname(pod), Args: command, Env: env, Dir: c.WorkingDir,
		UID: id.uid, GID: id.gid, Groups: id.groups, Capabilities: id.capabilities, Seccomp: id.seccomp,
		OpenFiles: openFiles,
	}, nil
}

// connection holds the files between a command and its streams.
type connection struct {
	child    [3]*os.File
	stdin    *os.File // own ends; the terminal is both
	outputs  [2]*os.File
	terminal *os.File
}

// connect makes the command's files.
func connect(s Streams, uid int) (*connection, error) {
	c := new(connection)
	if s.Terminal {
		return c, c.openTerminal(uid)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot connect the command: %w", err)
	}
	c.child = [3]*os.File{null, null, null}
	if s.Stdin != nil {
		if c.child[0], c.stdin, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("cannot connect the command: %w", err)
		}
	}
	for i, out := range []io.Writer{s.Stdout, s.Stderr} {
		if out == nil {
			continue
		}
		if c.outputs[i], c.child[i+1], err = os.Pipe(); err != nil {
			c.closeChild()
			c.closeOwn()
			return nil, fmt.Errorf("cannot connect the command: %w", err)
		}
	}
	return c, nil
}

// openTerminal makes a pseudo terminal, whose user is the container's.
func (c *connection) openTerminal(uid int) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("cannot open a terminal: %w", err)
	}
	n := 0
	raw, err := master.SyscallConn() // not Fd, which would make reads block for ever
	if err == nil {
		controlErr := raw.Control(func(fd uintptr) {
			if n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err == nil {
				err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
			}
		})
		err = errors.Join(err, controlErr)
	}
	var slave *os.File
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return fmt.Errorf("cannot open a terminal: %w", err)
	}
	if os.Geteuid() == 0 {
		_ = slave.Chown(uid, -1)
	}
	c.terminal, c.child = master, [3]*os.File{slave, slave, slave}
	return nil
}

// copy moves data until the command's outputs end. The returned function waits for that.
func (c *connection) copy(ctx context.Context, s Streams) (wait func()) {
	var wg sync.WaitGroup
	if c.terminal != nil {
		go resize(ctx, c.terminal, s.Resize)
		if s.Stdin != nil {
			go func() { _, _ = io.Copy(c.terminal, s.Stdin) }()
		}
		if s.Stdout != nil {
			wg.Go(func() { _, _ = io.Copy(s.Stdout, c.terminal) }) // ends with EIO after the last process
		}
		return wg.Wait
	}
	if s.Stdin != nil {
		go func() {
			_, _ = io.Copy(c.stdin, s.Stdin)
			c.stdin.Close()
		}()
	}
	for i, out := range []io.Writer{s.Stdout, s.Stderr} {
		if out != nil {
			wg.Go(func() { _, _ = io.Copy(out, c.outputs[i]) })
		}
	}
	return wg.Wait
}

// resize sets the terminal's size until ctx is done.
func resize(ctx context.Context, terminal *os.File, sizes <-chan [2]uint16) {
	for {
		select {
		case <-ctx.Done():
			return
		case size := <-sizes:
			raw, err := terminal.SyscallConn()
			if err != nil {
				return
			}
			_ = raw.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: size[0], Row: size[1]})
			})
		}
	}
}

func (c *connection) closeChild() {
	for _, f := range c.child {
		if f != nil {
			f.Close() // more than once for one that is used twice, which is harmless
		}
	}
}

func (c *connection) closeOwn() {
	for _, f := range []*os.File{c.stdin, c.outputs[0], c.outputs[1], c.terminal} {
		if f != nil {
			f.Close()
		}
	}
}
