package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const commandPatience = time.Minute

// Status is what `messagerie status -o json` prints.
type Status struct {
	Ready      bool              `json:"ready"`
	Kubeconfig string            `json:"kubeconfig"`
	Endpoints  map[string]string `json:"endpoints"`
	CAFile     string            `json:"caFile"`
	Ministries []struct {
		Name     string `json:"name"`
		Ready    bool   `json:"ready"`
		Accounts int    `json:"accounts"`
		Cells    int    `json:"cells"`
	} `json:"ministries"`
}

// Run runs a command of messagerie on the data folder (`--data` is put after the command's name) and returns what it
// printed. The error holds what it said.
func (i *Installation) Run(ctx context.Context, command string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, i.binary, append([]string{command, "--data", i.Data()}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("cannot run messagerie %s %s: %w: %s",
			command, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// Kubectl runs the real kubectl against the installation.
func (i *Installation) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return i.Run(ctx, "kubectl", args...)
}

// Status reads the installation's status.
func (i *Installation) Status(ctx context.Context) (Status, error) {
	var status Status
	out, err := i.Run(ctx, "status", "-o", "json")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return status, fmt.Errorf("cannot read the status: %w", err)
	}
	return status, nil
}

// AwaitReady polls the status until everything declared is ready.
func (i *Installation) AwaitReady(ctx context.Context) (Status, error) {
	for {
		status, err := i.Status(ctx)
		if err == nil && status.Ready {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, fmt.Errorf("not ready: %+v: %w", status.Ministries, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
