package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/admin/remote"
)

func newMailboxCompact() *cobra.Command {
	var dir, ministry string
	cmd := &cobra.Command{
		Use:     "compact [--ministry M]",
		Short:   "Get the room of removed mail back now, which cells do by themselves every hour",
		Example: "  messagerie mailbox compact --ministry finances",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := newTable(cmd.OutOrStdout())
			fmt.Fprintln(w, "MINISTRY\tFILES REMOVED\tFREED\tMOVED\tUNREADABLE MESSAGES")
			err := eachCell(cmd, dir, ministry, nil, func(name string, cell remote.Cell, _ string) error {
				c, err := cell.Compact(cmd.Context())
				if err == nil {
					fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\n", name, c.Removed, bytesText(c.Freed), bytesText(c.Moved), c.Unreadable)
				}
				return err
			})
			if ferr := w.Flush(); err == nil {
				err = ferr
			}
			return err
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ministry, "ministry", "", "only this ministry")
	return cmd
}
