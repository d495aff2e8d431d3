package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// postfix is where Postfix's two test programs are.
type postfix struct {
	source, sinkPath string
	environment      []string
}

// findPostfix takes the programs from the system, or unpacks Debian's package into the cache: nothing is installed and no
// service is started.
func findPostfix(ctx context.Context, cache string) (*postfix, error) {
	for _, folder := range []string{"", "/usr/sbin"} {
		source, err1 := exec.LookPath(filepath.Join(folder, "smtp-source"))
		sink, err2 := exec.LookPath(filepath.Join(folder, "smtp-sink"))
		if err1 == nil && err2 == nil {
			return &postfix{source, sink, os.Environ()}, nil
		}
	}
	root, err := filepath.Abs(filepath.Join(cache, "postfix"))
	if err != nil {
		return nil, err
	}
	p := &postfix{
		source:      filepath.Join(root, "usr/sbin/smtp-source"),
		sinkPath:    filepath.Join(root, "usr/sbin/smtp-sink"),
		environment: append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/postfix")),
	}
	if _, err := os.Stat(p.source); err == nil {
		return p, nil
	}
	if err := unpackPostfix(ctx, root); err != nil {
		return nil, fmt.Errorf("%w: smtp-source is not here: %v", errUnavailable, err)
	}
	return p, nil
}

func unpackPostfix(ctx context.Context, root string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	folder, err := os.MkdirTemp("", "postfix")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	download := exec.CommandContext(ctx, "apt-get", "download", "postfix")
	download.Dir = folder
	if out, err := download.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download postfix: %w: %s", err, out)
	}
	packages, err := filepath.Glob(filepath.Join(folder, "postfix_*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("apt-get download postfix: found %d packages; accepted is 1", len(packages))
	}
	if out, err := exec.CommandContext(ctx, "dpkg", "-x", packages[0], root).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg -x: %w: %s", err, out)
	}
	return nil
}

// sink starts smtp-sink and returns its address once it answers.
func (p *postfix) sink(ctx context.Context) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = listener.Addr().String()
	listener.Close()
	arguments := []string{address, strconv.Itoa(2 * smtpSessions)}
	if os.Geteuid() == 0 {
		arguments = append([]string{"-u", "nobody"}, arguments...)
	}
	command := exec.Command(p.sinkPath, arguments...)
	command.Env, command.Stderr = p.environment, os.Stderr
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		command.Process.Kill()
		command.Wait()
	}
	for range 100 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address, stop, nil
		}
		select {
		case <-ctx.Done():
			stop()
			return "", nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return "", nil, fmt.Errorf("smtp-sink does not answer at %s", address)
}
