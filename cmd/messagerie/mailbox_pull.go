package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/migration/pull"
)

// maxAuthorities bounds the file of --ca, in bytes.
const maxAuthorities = 1 << 20

// pullFlags are what was typed.
type pullFlags struct {
	dir, mapping, from, ca, confirm, state, output string
	concurrency                                    int
}

func newMailboxPull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull -f MAPPING.csv --from imaps://HOST[:PORT] [--confirm CODE]",
		Short: "Copy mailboxes from another IMAP server, verified, with a proof",
		Long: `Copy mailboxes from another IMAP server. The CSV file has the columns user,password,address: the login there, its
password, the address here; optionally authorize, whose mail it is where a master user logs in, and force, the reason why a row
is right although the evidence does not say so.

Without --confirm nothing is copied: it logs in to every account there, looks whose its mail is, and prints a table. Rows that
nothing speaks for, or something against, are refused. If none is, it prints a code; with --confirm CODE and nothing changed, it
copies. The same command goes on after Ctrl-C or an error, and copies what is new. It ends with a proof, a JSON file that maps
every message there to the one here, and with exit code 0 only if all of them are here and the same.`,
		Example: "  messagerie mailbox pull -f mapping.csv --from imaps://mail.old.tg\n" +
			"  messagerie mailbox pull -f mapping.csv --from imaps://mail.old.tg --confirm K7QF-M2ZP-AB3X",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	dataFlag(cmd, &f.dir)
	cmd.Flags().StringVarP(&f.mapping, "file", "f", "", "CSV file with the columns user,password,address")
	cmd.Flags().StringVar(&f.from, "from", "", "the other server, imaps://HOST[:PORT]")
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM file with the authorities to trust instead of this machine's")
	cmd.Flags().StringVar(&f.confirm, "confirm", "", "the code that the dry run has printed")
	cmd.Flags().StringVar(&f.state, "state", "", "folder for what was done and the proofs (default pull-HOST)")
	cmd.Flags().IntVar(&f.concurrency, "concurrency", 4, "accounts at the same time, each with one connection")
	outputFlag(cmd, &f.output, "table", "json", "yaml")
	return cmd
}

func (f *pullFlags) run(cmd *cobra.Command) error {
	o, rows, err := f.read()
	if err != nil {
		return err
	}
	if o.Locate, err = locator(cmd, f.dir); err != nil {
		return err
	}
	show := newTicker()
	o.Progress = func(p pull.Progress) {
		show.step("%d of %d accounts, %d messages, %s; %s: %s", p.Done, p.Accounts, p.Messages, bytesText(p.Bytes), p.Account, plain(p.Activity))
	}
	if f.confirm == "" {
		plan, err := pull.Gather(cmd.Context(), o, rows)
		if err != nil {
			return err
		}
		return f.printPlan(cmd.OutOrStdout(), plan)
	}
	proof, err := pull.Run(cmd.Context(), o, rows, f.confirm)
	switch {
	case errors.Is(err, pull.ErrNotConfirmed):
		return fmt.Errorf("--confirm: %w", err)
	case err != nil:
		return goesOn(err)
	}
	return f.printProof(cmd.OutOrStdout(), proof)
}

// read reads the files that were named.
func (f *pullFlags) read() (o pull.Options, rows []pull.Row, err error) {
	if f.concurrency < 1 || f.concurrency > pull.MaxConcurrency {
		return o, nil, usagef("--concurrency: found %d; accepted are 1 to %d", f.concurrency, pull.MaxConcurrency)
	}
	if o.Source, err = pull.ParseSource(f.from); err != nil {
		return o, nil, usagef("--from: %v", err)
	}
	if f.mapping == "" {
		return o, nil, usagef("-f: found nothing; accepted is a CSV file")
	}
	file, err := os.Open(f.mapping)
	if err != nil {
		return o, nil, fmt.Errorf("-f: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		return o, nil, usagef("-f: %s: found mode %04o, with which others may read the passwords; accepted is 0600", f.mapping, info.Mode().Perm())
	}
	if rows, err = pull.ReadMapping(file); err != nil {
		return o, nil, usagef("-f: %s: %v", f.mapping, err)
	}
	var authorities []byte
	if f.ca != "" {
		pem, err := os.Open(f.ca)
		if err != nil {
			return o, nil, fmt.Errorf("--ca: %w", err)
		}
		defer pem.Close()
		if authorities, err = io.ReadAll(io.LimitReader(pem, maxAuthorities)); err != nil {
			return o, nil, fmt.Errorf("--ca: %w", err)
		}
	}
	if o.TLS, err = pull.TLSConfig(o.Source, authorities); err != nil {
		return o, nil, usagef("--ca: %v", err)
	}
	if o.State = f.state; o.State == "" {
		host, _, _ := net.SplitHostPort(o.Source)
		o.State = "pull-" + strings.Map(func(r rune) rune {
			if r == ':' || r == '%' {
				return '-'
			}
			return r
		}, host)
	}
	o.Concurrency = f.concurrency
	return o, rows, nil
}

// locator knows the cells of all accounts.
func locator(cmd *cobra.Command, dir string) (func(string) pull.Cell, error) {
	ministries, err := cells(cmd, dir, "")
	if err != nil {
		return nil, err
	}
	held := make(map[string]*v1alpha1.Ministry)
	err = eachAccount(cmd, dir, ministries, func(m *v1alpha1.Ministry, a admin.Account) { held[a.Address] = m })
	if err != nil {
		return nil, err
	}
	return func(address string) pull.Cell {
		if m := held[address]; m != nil {
			return cellOf(dir, m)
		}
		return nil
	}, nil
}
