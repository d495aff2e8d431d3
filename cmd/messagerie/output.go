package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
	"sigs.k8s.io/yaml"
)

// printData writes v as json or yaml.
func printData(w io.Writer, format string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil && format == "yaml" {
		data, err = yaml.JSONToYAML(data)
	}
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", trimNewline(data))
	return err
}

func trimNewline(data []byte) []byte {
	for len(data) > 0 && data[len(data)-1] == '\n' {
		data = data[:len(data)-1]
	}
	return data
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 2, 8, 2, ' ', 0) }

// progress shows the steps of a long command on standard error: one line a step, with the time since its start.
type progress struct {
	began  time.Time
	colour bool
}

func newProgress() *progress {
	colour := term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("NO_COLOR") == ""
	return &progress{began: time.Now(), colour: colour}
}

func (p *progress) step(format string, args ...any) {
	stamp := fmt.Sprintf("%6.1f s", time.Since(p.began).Seconds())
	if p.colour {
		stamp = "\x1b[2m" + stamp + "\x1b[0m"
	}
	fmt.Fprintf(os.Stderr, "%s  %s\n", stamp, fmt.Sprintf(format, args...))
}
