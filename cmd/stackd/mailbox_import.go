package main

import (
	"bufio"
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// importMailbox reads a tar stream and prints what became of each batch.
func importMailbox(ctx context.Context, v *verb, in io.Reader, out io.Writer) error {
	address, err := v.account(1)
	if err != nil {
		return err
	}
	return v.client.Import(ctx, address, archive.NewPartReader(bufio.NewReaderSize(in, 256<<10)), printer[admin.ImportResult](out))
}
