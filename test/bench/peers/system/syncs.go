package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNoTrace says that system calls cannot be counted here.
var ErrNoTrace = errors.New("strace is not here")

// syncCalls are the system calls that wait for stable storage.
const syncCalls = "fsync,fdatasync,sync_file_range,syncfs,sync,msync"

// Syncs counts the calls for stable storage that the group makes while during runs, by name.
func (g Group) Syncs(ctx context.Context, folder string, during func() error) (map[string]int, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return nil, ErrNoTrace
	}
	out := filepath.Join(folder, "strace.out")
	arguments := []string{"-f", "-qqq", "-e", "trace=" + syncCalls, "-e", "signal=none", "-o", out}
	traced := g.PIDs()
	for _, pid := range traced {
		arguments = append(arguments, "-p", strconv.Itoa(pid))
	}
	defer os.Remove(out)
	tracer, err := Start("strace", filepath.Join(folder, "strace.log"), exec.Command(path, arguments...))
	if err != nil {
		return nil, err
	}
	attached := func() error {
		for _, pid := range traced {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err == nil && bytes.Contains(status, []byte("\nTracerPid:\t0\n")) {
				return fmt.Errorf("process %d is not traced", pid)
			}
		}
		return nil
	}
	if err := tracer.Await(ctx, attached); err != nil {
		return nil, errors.Join(err, tracer.detach())
	}
	failed := during()
	if err := errors.Join(failed, tracer.detach()); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return countCalls(text), nil
}

// detach ends the tracer alone: what it traced goes on.
func (p *Process) detach() error {
	_ = syscall.Kill(p.pid, syscall.SIGINT)
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not end within %s", p.name, patience), syscall.Kill(p.pid, syscall.SIGKILL))
	}
}

// countCalls counts the lines of strace's output that begin a call: "PID call(…". A call that another interrupts is there twice,
// the second time as "<... call resumed>".
func countCalls(text []byte) map[string]int {
	calls := map[string]int{}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, " ")
		name, _, called := strings.Cut(strings.TrimLeft(rest, " "), "(")
		if called && strings.Contains(","+syncCalls+",", ","+name+",") {
			calls[name]++
		}
	}
	return calls
}
