package main

import (
	"context"
	"io"
)

func exportMailbox(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	name := v.flags.String("mailbox", "", "only the mailbox `NAME` and those below it")
	address, err := v.account(1)
	if err != nil {
		return err
	}
	return v.client.Export(ctx, address, *name, out)
}
