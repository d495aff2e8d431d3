package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/version"
)

// roles are the parts that run until they are told to stop.
var roles = map[string]func(context.Context, string, *slog.Logger) error{
	"cell":       cell.Run,
	"gateway":    gateway.Run,
	"loadworker": loadWorker,
}

func serve(ctx context.Context, role string, args []string) error {
	flags := newFlags(role)
	config := flags.String("config", "/etc/messagerie/"+role+"/"+role+".json", "configuration `FILE`")
	level := slog.LevelInfo
	flags.TextVar(&level, "log-level", level, "least `LEVEL` to log: DEBUG, INFO, WARN or ERROR")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	log = log.With("role", role)
	log.Info("starting", "version", version.Version)
	return roles[role](ctx, *config, log)
}

func printVersion(args []string, out io.Writer) error {
	flags := newFlags("version")
	format := flags.String("o", "table", "`FORMAT`: table or json")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	switch *format {
	case "table":
		_, err := fmt.Fprintln(out, version.Version)
		return err
	case "json":
		return json.NewEncoder(out).Encode(map[string]string{"version": version.Version})
	}
	return fmt.Errorf("%w: -o: found %q; accepted are table and json", errUsage, *format)
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet("stackd "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parse parses args, of which n must be left as operands.
func parse(flags *flag.FlagSet, args []string, n int) error {
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() != n {
		return fmt.Errorf("%w: %s: found %d operands; accepted are %d", errUsage, flags.Name(), flags.NArg(), n)
	}
	return nil
}
