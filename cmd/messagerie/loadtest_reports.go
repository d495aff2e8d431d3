package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/gate"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/report"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/loadtest/verdict"
)

func newLoadTestProfiles() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "profiles", Short: "List the built-in load tests", Args: exactArgs(),
		Example: "  messagerie loadtest profiles\n  messagerie loadtest profiles -o yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []scenario.Scenario
			for _, name := range scenario.Profiles() {
				s, err := scenario.Profile(name)
				if err != nil {
					return err
				}
				all = append(all, s)
			}
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, all)
			}
			w := newTable(cmd.OutOrStdout())
			fmt.Fprintln(w, "NAME\tUSERS\tACTIVITIES/S\tLOAD\tWORKERS\tDESCRIPTION")
			for i := range all {
				s := &all[i]
				fmt.Fprintf(w, "%s\t%d\t%.4g\t%s\t%d\t%s\n", s.Name, s.Users, s.Activities(), s.Total().Round(time.Second), s.Workers, s.Description)
			}
			return w.Flush()
		},
	}
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

func newLoadTestMerge() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "merge DIR... --out DIR", Short: "Merge the reports of one test's parts, bucket by bucket",
		Example: "  messagerie loadtest merge part-1 part-2 --out whole",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if out == "" {
				return usagef("--out: found nothing; accepted is a folder")
			}
			var parts []*report.Report
			for i, dir := range dirs {
				if slices.ContainsFunc(dirs[:i], func(other string) bool { return filepath.Clean(other) == filepath.Clean(dir) }) {
					return usagef("arguments: found %q twice; accepted is each part once", dir)
				}
				r, err := report.Read(dir)
				if err != nil {
					return usageError{err}
				}
				parts = append(parts, r)
			}
			merged, err := verdict.Merge(parts...)
			if err != nil {
				return usageError{err}
			}
			if err := report.Write(out, merged); err != nil {
				return err
			}
			newView(cmd.OutOrStdout()).Finish(merged)
			return verdictError(merged.Verdict)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder for the merged report")
	return cmd
}

func newLoadTestCompare() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "compare A B", Short: "Say whether B is worse than A, and how sure that is",
		Long: `Say whether B is worse than A, and how sure that is.

A and B are folders of reports. Each quantile is compared as a ratio with its 95 % confidence interval. Exit code 0: B is
not slower, has no more errors and does all that A does, as far as can be told; 99: it is, has, or does not; 96 to 98: one of the
runs was aborted, saw wrong content or is invalid, and nothing follows.`,
		Example: "  messagerie loadtest compare baseline loadtest-report",
		Args:    exactArgs("A", "B"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var sides [2]*record.Snapshot
			for i, dir := range args {
				r, err := report.Read(dir)
				if err == nil {
					sides[i], err = r.Snapshot()
				}
				if err != nil {
					return usagef("%s: %w", dir, err)
				}
				if r.Verdict != gate.Pass && r.Verdict != gate.Fail {
					fmt.Fprintf(cmd.ErrOrStderr(), "messagerie: %s: nothing follows from a run whose verdict is %s\n", dir, r.Verdict)
					return verdictError(r.Verdict)
				}
				if sides[i] == nil {
					return usagef("%s: found the report of a run that never began; accepted is one that measured something", dir)
				}
			}
			c := gate.Compare(sides[0], sides[1], 1)
			show := c.WriteTable
			if output != "table" {
				show = func(w io.Writer) error { return printData(w, output, c) }
			}
			if err := show(cmd.OutOrStdout()); err != nil {
				return err
			}
			if c.Regression {
				return verdictError(gate.Fail)
			}
			return nil
		},
	}
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

// newLoadTestWorker is how `loadtest run --workers` starts its processes.
func newLoadTestWorker() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use: "worker --socket PATH", Short: "Make load as a coordinator says", Hidden: true, Args: exactArgs(),
		Example: "  messagerie loadtest worker --socket /run/user/1000/worker",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return distribution.ServeUnix(cmd.Context(), socket, distribution.ServerOptions{Engine: distribution.Load})
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "where to listen")
	return cmd
}

func verdictError(v gate.Verdict) error {
	if code := v.ExitCode(); code != 0 {
		return exitError(code)
	}
	return nil
}
