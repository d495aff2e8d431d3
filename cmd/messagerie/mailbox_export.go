package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/migration"
)

func newMailboxExport() *cobra.Command {
	var dir, out, name, mailbox string
	cmd := &cobra.Command{
		Use:   "export ADDRESS --out PATH [--format tar|mbox|maildir|eml] [--mailbox NAME]",
		Short: "Write an account's mail to a file or folder",
		Long: `Write an account's mail to a file (tar) or a folder (mbox, maildir, eml) that does not exist.

A tar file keeps everything: flags, keywords, dates, special uses, subscriptions, annotations. The other formats keep what
other programs know of it. Messages whose bytes are lost are listed, and the exit code is 1.`,
		Example: "  messagerie mailbox export afi.mensah@gouv.tg --out afi.tar\n" +
			"  messagerie mailbox export afi.mensah@gouv.tg --out projets --format maildir --mailbox Projets",
		Args: exactArgs("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := archive.ParseFormat(name)
			if err != nil {
				return usagef("--format: %v", err)
			}
			if out == "" {
				return usagef("--out: found nothing; accepted is the name of a new file or folder")
			}
			cell, address, err := locate(cmd, dir, args[0])
			if err != nil {
				return err
			}
			show := newTicker()
			total, lost, err := migration.Export(cmd.Context(), cell, address, mailbox, out, format, func(s archive.Summary) {
				show.step("%d messages, %s", s.Messages, bytesText(s.Bytes))
			})
			if err != nil {
				return err
			}
			for _, l := range lost {
				fmt.Fprintf(cmd.OutOrStdout(), "lost: %s: %s: %s\n", l.Mailbox, l.Where, l.What)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d mailboxes, %d messages, %d bytes exported to %s; %d messages are lost\n",
				total.Mailboxes, total.Messages, total.Bytes, out, total.Lost)
			if total.Lost > 0 {
				return exitError(exitFailure)
			}
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&out, "out", "", "the file or folder to make")
	cmd.Flags().StringVar(&name, "format", string(archive.Tar), archive.Formats)
	cmd.Flags().StringVar(&mailbox, "mailbox", "", "only this mailbox and those below it")
	return cmd
}
