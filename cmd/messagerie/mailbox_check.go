package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/admin/remote"
)

func newMailboxCheck() *cobra.Command {
	var dir, ministry string
	cmd := &cobra.Command{
		Use:   "check [--ministry M] [ADDRESS]",
		Short: "Look for what does not fit together in the stores of cells, or in one account",
		Long: `Look for what does not fit together in the stores of all cells, of one ministry's, or in one account: figures, references,
and the bytes of every message. It prints one line a problem and their number, and ends with exit code 1 if there is any. Mail flows meanwhile.`,
		Example: "  messagerie mailbox check --ministry finances\n  messagerie mailbox check afi.mensah@gouv.tg",
		Args:    optionalArg("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found := 0
			err := eachCell(cmd, dir, ministry, args, func(name string, cell remote.Cell, address string) error {
				return cell.Check(cmd.Context(), address, func(p admin.Problem) error {
					found++
					_, err := fmt.Fprintln(cmd.OutOrStdout(), problemText(name, p))
					return err
				})
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "problems: %d\n", found)
			if found > 0 {
				return exitError(exitFailure)
			}
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ministry, "ministry", "", "only this ministry")
	return cmd
}

// problemText is a line for people.
func problemText(cell string, p admin.Problem) string {
	if p.Address != "" {
		cell += ": " + p.Address
	}
	return cell + ": " + p.Where + ": " + p.What
}

// eachCell calls f with the cell of an account, if args has one, or with one ministry's or with all cells and no address.
func eachCell(cmd *cobra.Command, dir, ministry string, args []string, f func(name string, cell remote.Cell, address string) error) error {
	if len(args) > 0 {
		if ministry != "" {
			return usagef("--ministry: found %q with an ADDRESS; accepted is one of them", ministry)
		}
		cell, address, err := locate(cmd, dir, args[0])
		if err != nil {
			return err
		}
		return f(cell.Name, cell.Cell, address)
	}
	ministries, err := cells(cmd, dir, ministry)
	if err != nil {
		return err
	}
	for _, m := range ministries {
		if err := f(m.Name, cellOf(dir, &m), ""); err != nil {
			return fmt.Errorf("cell of %s: %w", m.Name, err)
		}
	}
	return nil
}

// optionalArg accepts the named argument, or none.
func optionalArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("arguments: found %q; accepted is %s [%s]", args, cmd.CommandPath(), name)
		}
		return nil
	}
}
