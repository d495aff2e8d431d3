package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/migration"
)

func newMailboxImport() *cobra.Command {
	var dir, from, name, mailbox string
	cmd := &cobra.Command{
		Use:   "import ADDRESS --from PATH [--format tar|mbox|maildir|eml] [--mailbox NAME]",
		Short: "Add the mail of a file or folder to an account",
		Long: `Add the mail of a file or folder to an account. What the account has already, or was given by an import in the last
30 days, is left out: after Ctrl-C or an error, the same command goes on.`,
		Example: "  messagerie mailbox import afi.mensah@gouv.tg --from afi.tar\n" +
			"  messagerie mailbox import afi.mensah@gouv.tg --from old.mbox --mailbox Archive/2025",
		Args: exactArgs("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var format archive.Format
			if name != "" {
				var err error
				if format, err = archive.ParseFormat(name); err != nil {
					return usagef("--format: %v", err)
				}
			}
			if from == "" {
				return usagef("--from: found nothing; accepted is a file or folder")
			}
			cell, address, err := locate(cmd, dir, args[0])
			if err != nil {
				return err
			}
			show := newTicker()
			report, err := migration.Import(cmd.Context(), cell, address, mailbox, from, format, func(r migration.Report) {
				show.step("%d messages imported, %d were there", r.Stored, r.Known+r.Present)
			})
			if err != nil && report.Bytes == 0 {
				return err
			}
			for _, line := range report.Details {
				fmt.Fprintln(cmd.OutOrStdout(), "refused:", line)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d messages imported; %d were there, %d were imported before; %d refused, %d unreadable\n",
				report.Stored, report.Present, report.Known, report.Refused, report.Lost)
			if err != nil {
				return goesOn(err)
			}
			if report.Refused+report.Lost > 0 {
				return exitError(exitFailure)
			}
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&from, "from", "", "the file or folder to read")
	cmd.Flags().StringVar(&name, "format", "", archive.Formats+" (default: what it is)")
	cmd.Flags().StringVar(&mailbox, "mailbox", "", "put everything below this mailbox, INBOX into itself")
	return cmd
}
