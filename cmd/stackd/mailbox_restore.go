package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
)

const maxIDs = 1 << 20 // bytes of ids on standard input

// restoreMailbox restores what was removed since a time, or the ids that standard input has as a JSON array.
func restoreMailbox(ctx context.Context, v *verb, in io.Reader, out io.Writer) error {
	var r admin.RestoreRequest
	v.flags.StringVar(&r.Mailbox, "mailbox", "", "the mailbox `NAME` instead of where each message was")
	v.flags.Func("since", "all that was removed since a `TIME` (RFC 3339)", func(s string) error {
		t, err := time.Parse(time.RFC3339Nano, s)
		r.Since = &t
		return err
	})
	address, err := v.account(1)
	if err != nil {
		return err
	}
	if r.Since == nil {
		if err := json.NewDecoder(io.LimitReader(in, maxIDs)).Decode(&r.IDs); err != nil {
			return fmt.Errorf("%w: standard input: found no JSON array of numbers: %w", errUsage, err)
		}
	}
	result, err := v.client.Restore(ctx, address, r)
	if err != nil {
		return err
	}
	return printer[admin.RestoreResult](out)(result)
}
