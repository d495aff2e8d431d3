package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"gouv.tg/messagerie/loadtest/nullserver"
)

// server is a null server in a process of its own.
type server struct {
	Endpoints map[string]string
	command   *exec.Cmd
	stdin     io.Closer // the server ends when it is closed
}

func startServer(ctx context.Context, address string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{command: exec.CommandContext(ctx, self, "work", "imap-noop", "serve", address)}
	s.command.Stderr = os.Stderr
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&s.Endpoints); err != nil {
		s.stop()
		return nil, fmt.Errorf("null server at %s: %w", address, err)
	}
	return s, nil
}

func (s *server) stop() {
	s.stdin.Close()
	s.command.Wait()
}

// serveIMAP is the server's process: it writes its endpoints as JSON and ends when its standard input does.
func serveIMAP(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("serve: found %q; accepted is an address", arguments)
	}
	address, err := netip.ParseAddr(arguments[0])
	if err != nil {
		return err
	}
	config, _ := nullserver.SelfSigned()
	s, err := nullserver.Start(nullserver.Options{Address: address, TLS: config})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.Endpoints()); err != nil {
		return errors.Join(err, s.Close())
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return s.Close()
}
