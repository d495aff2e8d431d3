package main

import (
	"context"
	"io"

	"gouv.tg/messagerie/mailstack/admin"
)

func listVault(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	address, err := v.account(1)
	if err != nil {
		return err
	}
	return v.client.Vault(ctx, address, printer[admin.VaultEntry](out))
}
