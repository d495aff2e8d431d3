package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/admin/remote"
)

func newMailboxRepair() *cobra.Command {
	var dir, ministry string
	var yes, removeLost bool
	cmd := &cobra.Command{
		Use:   "repair [--ministry M] [--yes] [--remove-lost] [ADDRESS]",
		Short: "Mend what messagerie mailbox check finds, without losing mail",
		Long: `Mend what messagerie mailbox check finds: count anew, correct references and sizes, compute envelopes again, throw search
indexes away. Without --yes it only tells what it would do. Messages whose bytes are lost are listed, and removed with
--remove-lost only, never from an account on hold. The exit code is 1 if something is left.

With --yes, sessions of the accounts end, and clients connect again.`,
		Example: "  messagerie mailbox repair --ministry finances\n  messagerie mailbox repair afi.mensah@gouv.tg --yes",
		Args:    optionalArg("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if removeLost && !yes {
				return usagef("--remove-lost: found without --yes; accepted is with it")
			}
			found, left := 0, 0
			err := eachCell(cmd, dir, ministry, args, func(name string, cell remote.Cell, address string) error {
				request := admin.RepairRequest{Address: address, Do: yes, RemoveLost: removeLost}
				return cell.Repair(cmd.Context(), request, func(m admin.Mended) error {
					found++
					if !m.Done {
						left++
					}
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", problemText(name, m.Problem), mendedText(m, yes))
					return err
				})
			})
			if err != nil {
				return err
			}
			switch {
			case yes:
				fmt.Fprintf(cmd.OutOrStdout(), "problems: %d, mended: %d, left: %d; search indexes are made anew\n", found, found-left, left)
			case found > 0:
				fmt.Fprintf(cmd.OutOrStdout(), "problems: %d; nothing is done without --yes\n", found)
			default:
				fmt.Fprintln(cmd.OutOrStdout(), "problems: 0")
			}
			if left > 0 {
				return exitError(exitFailure)
			}
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ministry, "ministry", "", "only this ministry")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it, and do not only tell")
	cmd.Flags().BoolVar(&removeLost, "remove-lost", false, "remove messages whose bytes are lost")
	return cmd
}

func mendedText(m admin.Mended, yes bool) string {
	switch {
	case m.Done:
		return "done: " + m.Action
	case m.Action == "":
		return "nothing can be done"
	case m.Takes && yes:
		return "left: only --remove-lost would " + m.Action
	case m.Takes:
		return "only --remove-lost would " + m.Action
	case yes:
		return "could not " + m.Action
	}
	return "would " + m.Action
}
