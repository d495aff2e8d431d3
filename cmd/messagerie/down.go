package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// stopPatience is longer than the graceful stop of everything that up runs.
const stopPatience = 60 * time.Second

func newDown() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop the installation in a data folder; nothing is lost",
		Example: "  messagerie down --data ./data",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pid, err := runningPID(dir)
			if err != nil {
				return err
			}
			if pid == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "not running")
				return nil
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				return fmt.Errorf("cannot stop process %d: %w", pid, err)
			}
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			deadline := time.After(stopPatience)
			for {
				select {
				case <-tick.C:
					if pid, err := runningPID(dir); err != nil || pid == 0 {
						fmt.Fprintln(cmd.OutOrStdout(), "stopped")
						return err
					}
				case <-deadline:
					return fmt.Errorf("process %d did not stop within %s", pid, stopPatience)
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				}
			}
		},
	}
	dataFlag(cmd, &dir)
	return cmd
}

// pidFile is held locked by the running up for as long as it lives: a process id alone may belong to another by now.
func pidFile(dir string) string { return filepath.Join(dir, "up.pid") }

// holdPID takes the pid file for this process. The kernel frees it however the process ends.
func holdPID(dir string) (*os.File, error) {
	f, err := os.OpenFile(pidFile(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot use the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("--data: %s is in use by a running installation; accepted is another folder, or: messagerie down --data %s", dir, dir)
	}
	if err := errors.Join(f.Truncate(0), writeAll(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write %s: %w", f.Name(), err)
	}
	return f, nil
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return err
}

// runningPID is the process that holds the data folder, or 0.
func runningPID(dir string) (int, error) {
	f, err := os.Open(pidFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", pidFile(dir), err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return 0, nil
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", f.Name(), err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid < 2 {
		return 0, fmt.Errorf("cannot read %s: found %q; accepted is a process id", f.Name(), data)
	}
	return pid, nil
}
