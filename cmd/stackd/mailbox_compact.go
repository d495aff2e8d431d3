package main

import (
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
)

func compactMailboxes(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	if err := v.parse(0); err != nil {
		return err
	}
	c, err := v.client.Compact(ctx)
	if err != nil {
		return err
	}
	return printer[admin.Compaction](out)(c)
}
