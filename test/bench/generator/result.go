package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Result is one comparison's outcome.
type Result struct {
	Unit     string   `json:"unit"`     // what is counted, per CPU-second of the generator's process
	Ours     Side     `json:"ours"`     // our client
	Peer     Side     `json:"peer"`     // the other generator
	Ratio    float64  `json:"ratio"`    // of the medians, ours to the peer's
	Settings []string `json:"settings"` // what both do
}

// Side is one generator.
type Side struct {
	Command string    `json:"command"`
	Rates   []float64 `json:"rates"` // by round
	Median  float64   `json:"median"`
}

// compare measures both sides in turn; each function does one round and returns its rate.
func compare(rounds int, result *Result, ours, peer func() (float64, error)) error {
	for range rounds {
		for _, side := range []struct {
			*Side
			measure func() (float64, error)
		}{{&result.Ours, ours}, {&result.Peer, peer}} {
			rate, err := side.measure()
			if err != nil {
				return fmt.Errorf("%s: %w", side.Command, err)
			}
			side.Rates = append(side.Rates, rate)
		}
	}
	result.Ours.Median, result.Peer.Median = median(result.Ours.Rates), median(result.Peer.Rates)
	result.Ratio = result.Ours.Median / result.Peer.Median
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// cost runs a command and returns the CPU time of its process, start and end included.
func cost(ctx context.Context, environment []string, name string, arguments ...string) (time.Duration, error) {
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env, command.Stderr = environment, &stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	if err := command.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}

func (r *Result) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%s: %s (%s)\n", name, r.Unit, strings.Join(r.Settings, ", "))
	for _, side := range []Side{r.Ours, r.Peer} {
		fmt.Fprintf(w, "  %9.0f  %s\n            rounds:", side.Median, side.Command)
		for _, rate := range side.Rates {
			fmt.Fprintf(w, " %.0f", rate)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  ratio %.2f\n", r.Ratio)
}
