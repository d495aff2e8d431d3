package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/cmd/messagerie/local"
)

func newStatus() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show where the installation serves and whether it is ready",
		Example: "  messagerie status -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := local.ReadStatus(cmd.Context(), dir)
			if err != nil && !errors.Is(err, local.ErrNotRunning) {
				return err
			}
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, status)
			}
			return printStatus(cmd, status, err == nil)
		},
	}
	dataFlag(cmd, &dir)
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

func printStatus(cmd *cobra.Command, status local.Status, running bool) error {
	w := newTable(cmd.OutOrStdout())
	state := map[bool]string{true: "yes", false: "no"}[status.Ready]
	if !running {
		state = "no (not running)"
	}
	fmt.Fprintf(w, "ready\t%s\nkubeconfig\t%s\nauthority\t%s\n", state, status.Kubeconfig, status.CAFile)
	for _, protocol := range slices.Sorted(maps.Keys(status.Endpoints)) {
		fmt.Fprintf(w, "%s\t%s\n", protocol, status.Endpoints[protocol])
	}
	if len(status.Ministries) > 0 {
		fmt.Fprintf(w, "\nMINISTRY\tREADY\tACCOUNTS\tCELLS\n")
		for _, m := range status.Ministries {
			fmt.Fprintf(w, "%s\t%t\t%d\t%d\n", m.Name, m.Ready, m.Accounts, m.Cells)
		}
	}
	return w.Flush()
}
