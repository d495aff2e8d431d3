package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain is also what children of the tests run: the first argument says what they do.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || !strings.HasPrefix(os.Args[1], "child-") {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serveAs(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveAs(ctx context.Context, role, socket string) error {
	switch role {
	case "child-works", "child-dies":
		f := &fake{}
		if role == "child-dies" && strings.HasSuffix(socket, "-1") {
			f = nil
		}
		return ServeUnix(ctx, socket, ServerOptions{Engine: mortal{f}})
	case "child-has-children":
		c, err := StartChildren(ctx, 1, func(s string) []string { return []string{"child-works", s} }, os.Stderr)
		if err != nil {
			return err
		}
		return os.WriteFile(socket, []byte(strconv.Itoa(c.children[0].cmd.Process.Pid)+" "), 0o600)
	}
	return errors.New("out of order")
}

// mortal ends the process in the middle of a run when it has no engine.
type mortal struct{ *fake }

func (m mortal) Prepare(ctx context.Context, in Input, log *slog.Logger) (Share, error) {
	if m.fake == nil {
		time.AfterFunc(3*time.Second, func() { fmt.Fprintln(os.Stderr, "out of memory"); os.Exit(3) })
		m.fake = &fake{}
	}
	return m.fake.Prepare(ctx, in, log)
}

func start(t *testing.T, role string, n int, stderr *bytes.Buffer) *Children {
	t.Helper()
	c, err := StartChildren(t.Context(), n, func(socket string) []string { return []string{role, socket} }, stderr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mayPrefer tells whether this process may have a thread preferred.
func mayPrefer() bool {
	may := make(chan bool)
	go func() {
		runtime.LockOSThread() // for good: the thread ends here
		may <- unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) == nil
	}()
	return <-may
}

func TestChildren(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	c := start(t, "child-works", 2, &stderr)
	if info, err := os.Stat(c.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the sockets' directory: %v, %v", info.Mode(), err)
	}
	for _, w := range c.children {
		pid := w.cmd.Process.Pid
		if session, err := unix.Getsid(pid); err != nil || session != pid {
			t.Errorf("%s is of session %d, %v; want its own, %d", w.Name(), session, err, pid)
		}
		// The system call returns 20 less the niceness.
		if nice, err := unix.Getpriority(unix.PRIO_PROCESS, pid); err != nil || 20-nice != niceness && mayPrefer() {
			t.Errorf("%s has the niceness %d, %v", w.Name(), 20-nice, err)
		}
	}
	o, err := Run(t.Context(), c.Workers(), inputs(2, plan(0.1)), nil)
	if err != nil || !o.Valid() || o.Snapshot == nil {
		t.Errorf("%v, %+v", err, o)
	}
	for _, w := range c.children {
		<-w.exited
		if w.err != nil {
			t.Errorf("%s ended with %v", w.Name(), w.err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sockets are still there: %v", err)
	}
}

func TestChildDies(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	c := start(t, "child-dies", 2, &stderr)
	o, err := Run(t.Context(), c.Workers(), inputs(2, plan(60)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Reasons) != 1 || !strings.Contains(o.Reasons[0], "worker worker-1: its process ended (exit status 3): out of memory") {
		t.Errorf("reasons = %q", o.Reasons)
	}
	if o.Snapshot == nil || o.Workers[0].Result == nil {
		t.Error("what the other measured is lost")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(stderr.String(), "worker-1: out of memory\n") {
		t.Errorf("stderr = %q", stderr.String())
	}
}

func TestChildThatCannotServe(t *testing.T) {
	var stderr bytes.Buffer
	_, err := StartChildren(t.Context(), 1, func(string) []string { return []string{"child-broken", "x"} }, &stderr)
	if err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("error = %v", err)
	}
}

// TestParentsDeath has a parent end without closing its children.
func TestParentsDeath(t *testing.T) {
	var stderr bytes.Buffer
	file := filepath.Join(t.TempDir(), "pid")
	// The parent is a child that never listens: it writes its own child's number and ends.
	_, err := StartChildren(t.Context(), 1, func(string) []string { return []string{"child-has-children", file} }, &stderr)
	if err == nil || !strings.Contains(err.Error(), "its process ended") {
		t.Fatalf("error = %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if !running(pid) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d outlives its parent", pid)
}

// running tells a process from one that has ended and that nobody has reaped.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestOutputIsBounded(t *testing.T) {
	var out bytes.Buffer
	p := &prefixed{prefix: "w: ", mu: &sync.Mutex{}, to: &out}
	line := strings.Repeat("x", 3*maxLine)
	for range 2 * maxOutput / maxLine {
		if n, err := p.Write([]byte(line + "\n")); n != len(line)+1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if out.Len() > maxOutput+maxOutput/100 || !strings.HasSuffix(out.String(), "w: (more output is dropped)\n") {
		t.Errorf("%d bytes, ending in %q", out.Len(), out.String()[out.Len()-50:])
	}
	out.Reset()
	p = &prefixed{prefix: "w: ", mu: &sync.Mutex{}, to: &out}
	for _, piece := range []string{"a", "b\nc\n\n", "d"} {
		if _, err := p.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	p.flush()
	if out.String() != "w: ab\nw: c\nw: \nw: d\n" || p.lastLine() != "d" {
		t.Errorf("%q, last %q", out.String(), p.lastLine())
	}
}
