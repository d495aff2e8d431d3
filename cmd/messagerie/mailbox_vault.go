package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/admin"
)

func newMailboxVault() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "vault ADDRESS",
		Short:   "List removed mail that can be recovered",
		Example: "  messagerie mailbox vault afi.mensah@gouv.tg -o json",
		Args:    exactArgs("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cell, address, err := locate(cmd, dir, args[0])
			if err != nil {
				return err
			}
			entries := []admin.VaultEntry{}
			err = cell.Vault(cmd.Context(), address, func(e admin.VaultEntry) error { entries = append(entries, e); return nil })
			if err != nil {
				return err
			}
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, entries)
			}
			w := newTable(cmd.OutOrStdout())
			fmt.Fprintln(w, "ID\tREMOVED\tMAILBOX\tDATE\tSIZE\tFROM\tSUBJECT")
			for _, e := range entries {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.ID, e.Removed.Format(time.RFC3339), e.Mailbox,
					e.Date.Format(time.DateOnly), e.Size, e.From, plain(e.Subject))
			}
			return w.Flush()
		},
	}
	dataFlag(cmd, &dir)
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

// plain is a text from a message, fit for a terminal.
func plain(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	runes := []rune(quoted[1 : len(quoted)-1])
	if len(runes) > 60 {
		runes = append(runes[:59], '…')
	}
	return string(runes)
}
