package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a part of the run. It writes JSON values to its standard output and ends when its standard input does.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	out     *json.Decoder
}

// start starts this program as one of its parts.
func start(ctx context.Context, part string, arguments ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.CommandContext(ctx, self, append([]string{"work", part}, arguments...)...)}
	p.command.Stderr = os.Stderr
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = 20 * time.Second
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", part, err)
	}
	return p, nil
}

// read reads the next value.
func (p *process) read(v any) error {
	if err := p.out.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", p.command.Args[2], err)
	}
	return nil
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	p.stdin.Close()
	return p.command.Wait()
}

// resident is what the process occupies (proc(5)), in octets.
func (p *process) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// cpu is the processor time of the process so far, user and system, in steps of 10 ms (proc(5)).
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold blanks
	fields := strings.Fields(rest)
	ticks := int64(0)
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// linesOf are those of r.
func linesOf(r io.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for lines := bufio.NewScanner(r); lines.Scan() && yield(lines.Text()); {
		}
	}
}

// tell writes a value for the parent.
func tell(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// untilTold waits for the end of standard input or of ctx.
func untilTold(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
