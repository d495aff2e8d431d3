// Sessions measures what an IMAP session costs: the resident memory of gateways and of their cell while many sessions idle and
// mail arrives for them, how late they are told of it, and the CPU time of commands at both.
//
//	go run ./test/bench/sessions [-gateways 1] [-sessions 19000] [-seconds 20] [-mail 100] [memory] [hop]
//
// Gateways, the cell and the clients are processes of their own. The table goes to standard output, the figures to
// test/bench/out/sessions.json.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
)

// settings are what a run is asked for.
type settings struct {
	Gateways int `json:"gateways"` // processes
	Sessions int `json:"sessions"` // of each gateway
	Seconds  int `json:"seconds"`  // of mail while all sessions idle
	Mail     int `json:"mail"`     // messages a second, over all sessions
	Rounds   int `json:"rounds"`   // of each measurement of the hop
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sessions:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) >= 2 && arguments[0] == "work" {
		work := map[string]func(context.Context, []string) error{"gateway": runGateway, "cell": runCell, "hold": holdSessions, "load": loadSessions}
		if f := work[arguments[1]]; f != nil {
			return f(ctx, arguments[2:])
		}
		return fmt.Errorf("work: found %q; accepted is gateway, cell, hold or load", arguments[1])
	}
	var s settings
	flags := flag.NewFlagSet("sessions", flag.ContinueOnError)
	flags.IntVar(&s.Gateways, "gateways", 1, "gateway processes")
	flags.IntVar(&s.Sessions, "sessions", 19_000, "sessions of each gateway; a process may have 20,000 descriptors")
	flags.IntVar(&s.Seconds, "seconds", 20, "how long mail arrives")
	flags.IntVar(&s.Mail, "mail", 100, "messages a second")
	flags.IntVar(&s.Rounds, "rounds", 5, "rounds of the hop's measurements")
	out := flags.String("out", "test/bench/out", "folder for sessions.json")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	for name, n := range map[string]int{"gateways": s.Gateways, "sessions": s.Sessions, "seconds": s.Seconds, "mail": s.Mail, "rounds": s.Rounds} {
		if n < 1 {
			return fmt.Errorf("-%s: found %d; accepted is 1 or more", name, n)
		}
	}
	chosen := flags.Args()
	var results struct {
		settings
		Memory *memory     `json:"memory,omitempty"`
		Hop    []operation `json:"hop,omitempty"`
	}
	results.settings = s
	var failed error
	if len(chosen) == 0 || slices.Contains(chosen, "memory") {
		var err error
		if results.Memory, err = measureMemory(ctx, s); err != nil {
			failed = fmt.Errorf("memory: %w", err)
		} else {
			results.Memory.print(os.Stdout)
		}
	}
	if len(chosen) == 0 || slices.Contains(chosen, "hop") {
		var err error
		if results.Hop, err = measureHop(ctx, s); err != nil {
			failed = errors.Join(failed, fmt.Errorf("hop: %w", err))
		}
		for _, o := range results.Hop {
			o.print(os.Stdout)
		}
	}
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	return errors.Join(failed, os.WriteFile(filepath.Join(*out, "sessions.json"), append(data, '\n'), 0o644))
}
