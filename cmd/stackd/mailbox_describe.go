package main

import (
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
)

func describeMailbox(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	address, err := v.account(1)
	if err != nil {
		return err
	}
	d, err := v.client.Describe(ctx, address)
	if err != nil {
		return err
	}
	return printer[admin.Description](out)(d)
}
