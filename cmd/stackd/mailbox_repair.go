package main

import (
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
)

func repairMailboxes(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	var r admin.RepairRequest
	v.flags.StringVar(&r.Address, "address", "", "only the account with an `ADDRESS`")
	v.flags.BoolVar(&r.Do, "yes", false, "do it, and do not only tell")
	v.flags.BoolVar(&r.RemoveLost, "remove-lost", false, "remove messages whose bytes are lost")
	if err := v.parse(0); err != nil {
		return err
	}
	return v.client.Repair(ctx, r, printer[admin.Mended](out))
}
