package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/cmd/messagerie/loadtest"
	"gouv.tg/messagerie/loadtest/report"
)

func newLoadTest() *cobra.Command {
	cmd := &cobra.Command{
		Use: "loadtest", Short: "Load an installation as its agents do, and judge it",
		Example: "  messagerie loadtest run smoke\n  messagerie loadtest profiles",
	}
	cmd.AddCommand(newLoadTestRun(), newLoadTestProfiles(), newLoadTestMerge(), newLoadTestCompare(), newLoadTestWorker())
	return cmd
}

// loadTestFlags are what one may change of a test without writing a file.
type loadTestFlags struct {
	data, file, ca, accounts, out string
	targets, gates                []string
	users, workers                int
	rate                          float64
	duration, connect             time.Duration
	seed                          uint64
	insecure, search              bool

	object v1alpha1.LoadTest // of the file, if there is one
}

func newLoadTestRun() *cobra.Command {
	var f loadTestFlags
	cmd := &cobra.Command{
		Use:   "run {PROFILE | -f FILE}",
		Short: "Run a load test and write its report",
		Long: `Run a load test and write its report.

The test is a built-in profile (see messagerie loadtest profiles) or a LoadTest object in a file; flags override it.
Without --target it is the installation in the data folder that is tested, and without --accounts the operator's own
probe accounts are used, one a ministry. report.json, report.html, junit.xml and metrics.prom are written whatever happens.

Exit code: 0 all gates passed, 99 a gate failed, 98 the run is invalid (the generator lagged, the target could not be
reached), 97 wrong content was seen, 96 aborted. Where several hold, the lowest of 96 to 99 wins.`,
		Example: `  messagerie loadtest run smoke
  messagerie loadtest run ministry --accounts accounts.csv --duration 1h --out report
  messagerie loadtest run mx --target smtp=127.0.0.1:25 --accounts addresses.csv --rate 200 --gate 'smtp.mx.p99 < 100ms'
  messagerie loadtest run -f loadtest.yaml --workers 4`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	dataFlag(cmd, &f.data)
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "", "a LoadTest object, or a profile's name")
	flags.StringSliceVar(&f.targets, "target", nil, "endpoints to test: PROTOCOL=HOST:PORT,… (smtp, submission, submissions, lmtp, imap, imaps)")
	flags.StringVar(&f.ca, "ca", "", "PEM file with the authority that the target's certificates descend from")
	flags.BoolVar(&f.insecure, "insecure", false, "do not look at the target's certificates")
	flags.StringVar(&f.accounts, "accounts", "", "CSV file with the columns address, password and, at will, site")
	flags.IntVar(&f.users, "users", 0, "agents")
	flags.Float64Var(&f.rate, "rate", 0, "activities a second, all open streams together")
	flags.DurationVar(&f.duration, "duration", 0, "how long is measured")
	flags.DurationVar(&f.connect, "connect", 0, "over how long the long sessions are opened")
	flags.StringArrayVar(&f.gates, "gate", nil, "what counts as good, such as 'imap.fetch.p99 < 500ms min_count=200'; replaces the profile's gates")
	flags.Uint64Var(&f.seed, "seed", 0, "makes the same load again")
	flags.IntVar(&f.workers, "workers", 0, "processes that make the load")
	flags.StringVar(&f.out, "out", "loadtest-report", "folder for the report")
	flags.BoolVar(&f.search, "search", false, "raise the load until a gate breaks, and report where")
	cmd.MarkFlagsMutuallyExclusive("ca", "insecure")
	return cmd
}

func (f *loadTestFlags) run(cmd *cobra.Command, args []string) error {
	s, err := f.scenario(cmd, args)
	if err != nil {
		return usageError{err}
	}
	if err := report.CheckDirectory(f.out); err != nil { // not after a day of measuring
		return usagef("--out: %w", err)
	}
	defer outlive(cmd)()
	o := &loadtest.Options{
		Scenario: s, Insecure: f.insecure, Search: f.search, Out: f.out, Errors: cmd.ErrOrStderr(),
		Command:       "messagerie " + loadtest.ShellQuoted(os.Args[1:]),
		WorkerCommand: func(socket string) []string { return []string{"loadtest", "worker", "--socket", socket} },
		View:          newView(cmd.OutOrStdout()),
	}
	begin := loadtest.Run
	if err := f.target(cmd, o); err != nil {
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		begin = func(ctx context.Context, o *loadtest.Options) (*report.Report, error) {
			return loadtest.Refuse(ctx, o, err)
		}
	}
	r, err := begin(cmd.Context(), o)
	if r != nil {
		fmt.Fprintf(cmd.OutOrStdout(), "report: %s\n", filepath.Join(f.out, "report.html"))
		if os.Getenv("GITHUB_ACTIONS") == "true" {
			err = errors.Join(err, report.WriteAnnotations(cmd.OutOrStdout(), r))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return verdictError(r.Verdict)
}

// outlive has the report written though whoever reads what is said here is gone: the end of the pipe, the terminal.
func outlive(cmd *cobra.Command) (stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	if signal.Ignored(syscall.SIGHUP) { // nohup
		return func() {}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
	cmd.SetContext(ctx)
	return stop
}
