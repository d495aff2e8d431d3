package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/mailstack/admin"
)

func newMailboxRestore() *cobra.Command {
	var dir, ids, since, mailbox string
	cmd := &cobra.Command{
		Use:   "restore ADDRESS --ids ID,... | --since TIME [--mailbox NAME]",
		Short: "Put removed mail back",
		Example: "  messagerie mailbox restore afi.mensah@gouv.tg --ids 17,18\n" +
			"  messagerie mailbox restore afi.mensah@gouv.tg --since 2026-11-20T08:00:00Z --mailbox Recovered",
		Args: exactArgs("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := restoreRequest(ids, since)
			if err != nil {
				return err
			}
			request.Mailbox = mailbox
			cell, address, err := locate(cmd, dir, args[0])
			if err != nil {
				return err
			}
			result, err := cell.Restore(cmd.Context(), address, request)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "messages restored: %d\n", result.Restored)
			if len(result.Missing) > 0 {
				return fmt.Errorf("--ids: found %v; accepted are ids that messagerie mailbox vault lists", result.Missing)
			}
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ids, "ids", "", "ids, as messagerie mailbox vault lists them, separated by commas")
	cmd.Flags().StringVar(&since, "since", "", "all that was removed since a time: RFC 3339, or a duration such as 48h")
	cmd.Flags().StringVar(&mailbox, "mailbox", "", "a mailbox for all of them, instead of where each was")
	return cmd
}

func restoreRequest(ids, since string) (r admin.RestoreRequest, err error) {
	if (ids == "") == (since == "") {
		return r, usagef("--ids, --since: found both or none; accepted is one of them")
	}
	if since != "" {
		t, err := time.Parse(time.RFC3339, since)
		if d, derr := time.ParseDuration(since); err != nil && derr == nil && d > 0 {
			t, err = time.Now().Add(-d), nil
		}
		if err != nil {
			return r, usagef("--since: found %q; accepted is a time such as 2026-11-20T08:00:00Z or a duration such as 48h", since)
		}
		r.Since = &t
		return r, nil
	}
	for text := range strings.SplitSeq(ids, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || id < 1 {
			return r, usagef("--ids: found %q; accepted are numbers separated by commas", text)
		}
		r.IDs = append(r.IDs, id)
	}
	return r, nil
}
