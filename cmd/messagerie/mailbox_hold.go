package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newMailboxHold() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "hold ADDRESS on|off",
		Short:   "Set or end a legal hold: nothing of the account is removed for good",
		Example: "  messagerie mailbox hold afi.mensah@gouv.tg on",
		Args:    exactArgs("ADDRESS", "on|off"),
		RunE: func(cmd *cobra.Command, args []string) error {
			on := args[1] == "on"
			if !on && args[1] != "off" {
				return usagef("arguments: found %q; accepted are on and off", args[1])
			}
			cell, address, err := locate(cmd, dir, args[0])
			if err != nil {
				return err
			}
			if err := cell.SetHold(cmd.Context(), address, on); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "hold of %s: %s\n", address, args[1])
			return nil
		},
	}
	dataFlag(cmd, &dir)
	return cmd
}
