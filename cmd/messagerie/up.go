package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/cmd/messagerie/local"
)

// readyPatience bounds the wait for everything declared: 70,000 accounts take well under a minute.
const readyPatience = 10 * time.Minute

// Starting makes garbage once: collecting it costs more than keeping it for seconds. Later, memory is what counts.
const (
	startingGC = 400
	idleGC     = 60
)

type upFlags struct {
	dir    string
	apply  []string
	detach bool
	ports  string
	nodes  int
	alone  bool
}

func newUp() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring an installation up on this machine: control plane, node, operator and what they serve",
		Example: `  messagerie up --apply examples/togo/pilot.yaml
  messagerie up --data /srv/messagerie --ports standard --detach`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			base, err := basePort(f.ports)
			if err != nil {
				return err
			}
			if f.nodes < 1 || f.nodes > 16 {
				return usagef("--nodes: found %d; accepted is 1 to 16", f.nodes)
			}
			if err := os.MkdirAll(f.dir, 0o711); err != nil {
				return fmt.Errorf("--data: %w", err)
			}
			if f.detach {
				return detach(cmd)
			}
			return up(cmd.Context(), f, base, cmd.OutOrStdout())
		},
	}
	dataFlag(cmd, &f.dir)
	cmd.Flags().StringArrayVar(&f.apply, "apply", nil, "file or folder of objects to apply; may be given more than once")
	cmd.Flags().BoolVar(&f.detach, "detach", false, "return once ready and go on in the background; stop with: messagerie down")
	cmd.Flags().StringVar(&f.ports, "ports", "10000", "where gateways listen: standard (25, 587, 993, …), a base that is added to them, or 0 for free ones")
	cmd.Flags().IntVar(&f.nodes, "nodes", 1, "nodes on this machine; more than one stand for servers")
	cmd.Flags().BoolVar(&f.alone, "without-operator", false, "control plane and nodes only: run the controllers apart, with: messagerie operator")
	return cmd
}

// up runs an installation until ctx ends or a part of it fails.
func up(ctx context.Context, f upFlags, base int, out io.Writer) error {
	pid, err := holdPID(f.dir)
	if err != nil {
		return err
	}
	defer pid.Close()
	if os.Getenv(detachedVariable) != "" {
		signal.Ignore(syscall.SIGPIPE) // whoever read what is said here may be gone
	}
	show := newProgress()
	debug.SetGCPercent(startingGC)
	installation, err := local.Start(ctx, local.Options{
		DataDir: f.dir, Nodes: f.nodes, BasePort: base, WithoutOperator: f.alone, Progress: show.step,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop while starting
		}
		return err
	}
	defer func() {
		show.step("stopping")
		installation.Stop()
		show.step("stopped; everything is kept in %s", f.dir)
	}()
	failed := installation.Failed()
	ready := make(chan error, 1)
	go func() { ready <- bringReady(ctx, installation, f, show, out) }()
	select {
	case err = <-ready:
	case err = <-failed:
	}
	debug.SetGCPercent(idleGC)
	debug.FreeOSMemory()
	if err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop while starting
		}
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// bringReady applies what was asked for, waits for it, proves it and says so.
func bringReady(ctx context.Context, i *local.Installation, f upFlags, show *progress, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if len(f.apply) > 0 {
		show.step("applying %v", f.apply)
		if err := local.Apply(ctx, i.Client(), f.apply); err != nil {
			return err
		}
	}
	if f.alone {
		fmt.Fprintf(out, "ready in %.1f s\n", time.Since(show.began).Seconds())
		return nil
	}
	if err := i.AwaitReady(ctx, show.step); err != nil {
		return err
	}
	proof, err := local.Prove(ctx, i.Client())
	if err != nil {
		return fmt.Errorf("self-proof: %w", err)
	}
	if proof != nil {
		show.step("self-proof: %s to %s, submitted and read back over TLS in %d ms", proof.From, proof.To, proof.Took.Milliseconds())
	}
	status, err := local.ReadStatus(ctx, f.dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ready in %.1f s\n", time.Since(show.began).Seconds())
	for _, protocol := range []string{"smtp", "submission", "submissions", "imap", "imaps", "lmtp"} {
		if address := status.Endpoints[protocol]; address != "" {
			fmt.Fprintf(out, "  %-12s %s\n", protocol, address)
		}
	}
	fmt.Fprintf(out, "  %-12s %s\n  %-12s %s\n", "authority", status.CAFile, "kubeconfig", status.Kubeconfig)
	if f, ok := out.(*os.File); ok && os.Getenv(detachedVariable) != "" {
		f.Close() // tells the waiting parent that all is said
	}
	return nil
}

// basePort is what is added to the well-known ports.
func basePort(text string) (int, error) {
	switch text {
	case "standard":
		return 0, nil
	case "0":
		return freeBase()
	}
	base, err := strconv.Atoi(text)
	if err != nil || base < 1024 || base > 64000 {
		return 0, usagef("--ports: found %q; accepted is 0, standard or a base from 1024 to 64000", text)
	}
	return base, nil
}

// freeBase draws a base whose SMTP port is free on every loopback address.
func freeBase() (int, error) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return 0, fmt.Errorf("--ports: cannot find free ports: %w", err)
	}
	defer listener.Close()
	return min(listener.Addr().(*net.TCPAddr).Port, 64000), nil
}

// detachedVariable tells a process that it is the background part of --detach.
const detachedVariable = "MESSAGERIE_DETACHED"

// detach starts the same command in a session of its own and copies what it says until it is ready or has ended.
func detach(cmd *cobra.Command) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	var args []string
	for _, arg := range os.Args[1:] {
		if arg != "--detach" && arg != "--detach=true" {
			args = append(args, arg)
		}
	}
	dir, _ := cmd.Flags().GetString("data")
	messages, err := os.OpenFile(filepath.Join(dir, "up.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer messages.Close()
	child := exec.Command(self, args...)
	child.Env = append(os.Environ(), detachedVariable+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Stderr = messages
	said, err := child.StdoutPipe()
	if err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("cannot detach: %w", err)
	}
	stop := context.AfterFunc(cmd.Context(), func() { child.Process.Signal(syscall.SIGTERM) })
	defer stop()
	n, err := io.Copy(cmd.OutOrStdout(), said)
	if err == nil && n == 0 {
		err = errors.New("nothing was said")
	}
	if err != nil {
		return fmt.Errorf("the installation did not become ready: %w; see %s", errors.Join(err, child.Wait()), messages.Name())
	}
	return nil
}
