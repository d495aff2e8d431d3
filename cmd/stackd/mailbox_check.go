package main

import (
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
)

func checkMailboxes(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	address := v.flags.String("address", "", "only the account with an `ADDRESS`")
	if err := v.parse(0); err != nil {
		return err
	}
	return v.client.Check(ctx, *address, printer[admin.Problem](out))
}
