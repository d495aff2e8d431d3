package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%s\t%s\n", e.ID, e.Removed.Format(time.RFC3339), plain(e.Mailbox),
					e.Date.Format(time.DateOnly), e.Size, plain(e.From), clip(plain(e.Subject), maxSubject))
			}
			return w.Flush()
		},
	}
	dataFlag(cmd, &dir)
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

// maxSubject is how many characters of a subject are shown.
const maxSubject = 60

// plain is a text from elsewhere, fit for a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// clip cuts a text.
func clip(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}
