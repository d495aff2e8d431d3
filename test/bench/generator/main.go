// Generator measures what the load generator itself costs: operations per CPU-second of its process (user and system),
// beside another generator that does the same work against the same server. The two run in turn, round by round, so that
// whatever else the machine does falls on both.
//
//	go run ./test/bench/generator [-rounds 7] [smtp …]
//
// The table goes to standard output, the figures to test/bench/out/generator.json. A comparison whose peer cannot be had
// here is skipped, and says so.
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
	"syscall"
)

// comparison is one protocol's. Its work runs in a process of its own: "generator work NAME ARGUMENTS".
type comparison struct {
	name    string
	compare func(ctx context.Context, rounds int, cache string) (*Result, error)
	work    func(ctx context.Context, arguments []string) error
}

var comparisons = []comparison{smtpComparison, noopComparison, noopTLSComparison, idleComparison}

// errUnavailable: the peer cannot be had here.
var errUnavailable = errors.New("skipped")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) >= 2 && arguments[0] == "work" {
		for _, c := range comparisons {
			if c.name == arguments[1] {
				return c.work(ctx, arguments[2:])
			}
		}
		return fmt.Errorf("work: found %q; accepted is the name of a comparison", arguments[1])
	}
	flags := flag.NewFlagSet("generator", flag.ContinueOnError)
	rounds := flags.Int("rounds", 7, "measurements of each side")
	out := flags.String("out", "test/bench/out", "folder for generator.json and for peers that are unpacked")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *rounds < 1 {
		return fmt.Errorf("-rounds: found %d; accepted is 1 or more", *rounds)
	}
	chosen := make(map[string]bool)
	for _, name := range flags.Args() {
		chosen[name] = true
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	path := filepath.Join(*out, "generator.json")
	results, err := read(path)
	if err != nil {
		return err
	}
	var failed error
	for _, c := range comparisons {
		if len(chosen) > 0 && !chosen[c.name] {
			continue
		}
		result, err := c.compare(ctx, *rounds, *out)
		switch {
		case errors.Is(err, errUnavailable):
			fmt.Printf("%s: %v\n", c.name, err)
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
		default:
			result.print(os.Stdout, c.name)
			results[c.name] = result
		}
	}
	return errors.Join(failed, write(path, results))
}

// read returns the results of earlier runs, so that one comparison can be repeated alone.
func read(path string) (map[string]*Result, error) {
	results := make(map[string]*Result)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return results, nil
}

func write(path string, results map[string]*Result) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
