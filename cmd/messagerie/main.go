// Command messagerie is what people type: it brings an installation up on this machine, talks to any other through a
// kubeconfig, and runs the controllers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that scripts rely on.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a mistake in what was typed.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends with its code and no further word: what there was to say was said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if err == nil {
		return
	}
	var exit exitError
	if errors.As(err, &exit) {
		stop()
		os.Exit(int(exit))
	}
	fmt.Fprintln(os.Stderr, "messagerie:", err)
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailure)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "messagerie",
		Short:         "Mail for a whole government, declared in YAML, on its own servers",
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  messagerie up --apply examples/togo/pilot.yaml
  messagerie status -o json
  messagerie kubectl get ministries`,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newUp(), newDown(), newStatus(), newOperator(), newKubectl("kubectl"), newKubectl("apply"),
		newKubectl("get"), newAccounts(), newMailbox(), newLoadTest(), newDoctor(), newVersion())
	return root
}

// exactArgs accepts exactly the named arguments, and says what was found otherwise.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("arguments: found %q; accepted is %s %s", args, cmd.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}

func dataFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "data", defaultData(), "data folder of the installation (or $MESSAGERIE_DATA)")
}

func defaultData() string {
	if dir := os.Getenv("MESSAGERIE_DATA"); dir != "" {
		return dir
	}
	return "data"
}

// outputFlag adds -o with its check.
func outputFlag(cmd *cobra.Command, output *string, accepted ...string) {
	cmd.Flags().StringVarP(output, "output", "o", accepted[0], "output: "+strings.Join(accepted, "|"))
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range accepted {
			if *output == name {
				if check != nil {
					return check(cmd, args)
				}
				return nil
			}
		}
		return usagef("--output: found %q; accepted is %s", *output, strings.Join(accepted, ", "))
	}
}
