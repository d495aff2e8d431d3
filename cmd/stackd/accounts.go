package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/sasl"
)

// defaultSocket is where a cell listens in its Pod.
const defaultSocket = "/run/messagerie/admin.sock"

func accounts(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: accounts: no command was given; accepted are list and set-password", errUsage)
	}
	switch args[0] {
	case "list":
		return listAccounts(ctx, args[1:], out)
	case "set-password":
		return setPassword(ctx, args[1:], in)
	}
	return fmt.Errorf("%w: accounts: found %q; accepted are list and set-password", errUsage, args[0])
}

func listAccounts(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("accounts list")
	socket := flags.String("socket", defaultSocket, "unix socket of the cell, a `PATH`")
	format := flags.String("o", "table", "`FORMAT`: table or json, one object a line")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	client := admin.NewUnixClient(*socket)
	defer client.Close()
	switch *format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		return client.Accounts(ctx, func(a admin.Account) error { return enc.Encode(a) })
	case "table":
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ADDRESS\tNAME\tENTITY\tSERVICE\tMESSAGES\tUSED\tQUOTA\tSTATE")
		err := client.Accounts(ctx, func(a admin.Account) error {
			state := "active"
			if a.Disabled {
				state = "disabled"
			}
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n",
				a.Address, a.Name, a.Entity, a.Service, a.Messages, a.UsedBytes, a.QuotaBytes, state)
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	}
	return fmt.Errorf("%w: -o: found %q; accepted are table and json", errUsage, *format)
}

// setPassword hashes the password here, so that the cell sees the hash and the SCRAM verifier only.
func setPassword(ctx context.Context, args []string, in io.Reader) error {
	flags := newFlags("accounts set-password")
	socket := flags.String("socket", defaultSocket, "unix socket of the cell, a `PATH`")
	if err := parse(flags, args, 1); err != nil {
		return err
	}
	address, err := directory.NormalizeAddress(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("ADDRESS: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(in, directory.MaxPassword+3))
	if err != nil {
		return fmt.Errorf("cannot read password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	hash, err := directory.Hash(password)
	if err != nil {
		return fmt.Errorf("password: %w", err)
	}
	scram := ""
	if v, err := sasl.NewVerifier(password); err == nil { // a password that SCRAM cannot carry still works with PLAIN
		scram = v.String()
	}
	client := admin.NewUnixClient(*socket)
	defer client.Close()
	return client.SetPassword(ctx, address, hash, scram)
}
