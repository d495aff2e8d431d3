package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/cmd/messagerie/local"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/accounts"
)

// maxPassword bounds what is read from standard input, in bytes.
const maxPassword = 1024

func newAccounts() *cobra.Command {
	cmd := &cobra.Command{Use: "accounts", Short: "Import, list and change accounts"}
	cmd.AddCommand(newAccountsImport(), newAccountsList(), newAccountsSetPassword())
	return cmd
}

func newAccountsImport() *cobra.Command {
	var dir, ministry string
	cmd := &cobra.Command{
		Use:   "import --ministry M FILE.csv",
		Short: "Make a CSV file the source of a ministry's accounts",
		Long: `Make a CSV file the source of a ministry's accounts.

The header is address,name,entity,service,password; the last column is optional and holds a password, which is
hashed here and never leaves this machine in clear, or a {SCHEME} or argon2id hash.`,
		Example: "  messagerie accounts import --ministry finances agents.csv",
		Args:    exactArgs("FILE.csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ministry == "" {
				return usagef("--ministry: found nothing; accepted is a ministry's name")
			}
			c, _, err := local.Connect(dir)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("FILE.csv: %w", err)
			}
			defer f.Close()
			count, err := accounts.Import(cmd.Context(), c, ministry, f)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d accounts imported into %s\n", count, ministry)
			return nil
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ministry, "ministry", "", "the ministry that the accounts belong to")
	return cmd
}

func newAccountsList() *cobra.Command {
	var dir, ministry, output string
	cmd := &cobra.Command{
		Use:     "list [--ministry M]",
		Short:   "List accounts as their cells hold them",
		Example: "  messagerie accounts list --ministry finances -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ministries, err := cells(cmd, dir, ministry)
			if err != nil {
				return err
			}
			all := []admin.Account{}
			err = eachAccount(cmd, dir, ministries, func(_ *v1alpha1.Ministry, a admin.Account) {
				if !strings.HasPrefix(a.Address, v1alpha1.ProbeLocalPart+"@") {
					all = append(all, a)
				}
			})
			if err != nil {
				return err
			}
			if output != "table" {
				return printData(cmd.OutOrStdout(), output, all)
			}
			w := newTable(cmd.OutOrStdout())
			fmt.Fprintln(w, "ADDRESS\tNAME\tENTITY\tSERVICE\tUSED\tMESSAGES")
			for _, a := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\n", a.Address, a.Name, a.Entity, a.Service, a.UsedBytes, a.Messages)
			}
			return w.Flush()
		},
	}
	dataFlag(cmd, &dir)
	cmd.Flags().StringVar(&ministry, "ministry", "", "only this ministry")
	outputFlag(cmd, &output, "table", "json", "yaml")
	return cmd
}

// eachAccount yields the accounts of ministries as their cells hold them.
func eachAccount(cmd *cobra.Command, dir string, ministries []v1alpha1.Ministry, yield func(*v1alpha1.Ministry, admin.Account)) error {
	for i := range ministries {
		m := &ministries[i]
		var listed bytes.Buffer
		if err := local.ExecInCell(cmd.Context(), dir, m, nil, &listed, "accounts", "list", "-o", "json"); err != nil {
			return fmt.Errorf("cannot list the accounts of %s: %w", m.Name, err)
		}
		for accounts := json.NewDecoder(&listed); ; {
			var account admin.Account
			err := accounts.Decode(&account)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("cannot read the accounts of %s: %w", m.Name, err)
			}
			yield(m, account)
		}
	}
	return nil
}

func newAccountsSetPassword() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "set-password ADDRESS",
		Short:   "Set an account's password, read from standard input",
		Example: "  messagerie accounts set-password afi.mensah@gouv.tg < password.txt",
		Args:    exactArgs("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := directory.NormalizeAddress(args[0])
			if err != nil {
				return usagef("ADDRESS: %v", err)
			}
			password, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxPassword+1))
			if err != nil || len(bytes.TrimRight(password, "\r\n")) == 0 || len(password) > maxPassword {
				return usagef("standard input: found %d bytes; accepted is a password of 1 to %d bytes", len(password), maxPassword)
			}
			ministries, err := cells(cmd, dir, "")
			if err != nil {
				return err
			}
			domain := v1alpha1.DomainName(directory.DomainOf(address))
			for _, m := range holders(ministries, domain) {
				err := local.ExecInCell(cmd.Context(), dir, &m, bytes.NewReader(password), cmd.OutOrStdout(), "accounts", "set-password", address)
				if !errors.Is(err, local.ErrNotHere) {
					return err
				}
			}
			return fmt.Errorf("ADDRESS: found %s; accepted is the address of an account", address)
		},
	}
	dataFlag(cmd, &dir)
	return cmd
}

// cells lists the ministries that have a cell, all or one.
func cells(cmd *cobra.Command, dir, only string) ([]v1alpha1.Ministry, error) {
	c, _, err := local.Connect(dir)
	if err != nil {
		return nil, err
	}
	if only != "" {
		var m v1alpha1.Ministry
		if err := c.Get(cmd.Context(), client.ObjectKey{Name: only}, &m); err != nil {
			return nil, fmt.Errorf("--ministry: %w", err)
		}
		return []v1alpha1.Ministry{m}, nil
	}
	var list v1alpha1.MinistryList
	if err := c.List(cmd.Context(), &list); err != nil {
		return nil, fmt.Errorf("cannot list ministries: %w", err)
	}
	return list.Items, nil
}

// holders are the ministries that may hold an address of this domain: its owner, or any for the shared domain.
func holders(ministries []v1alpha1.Ministry, domain v1alpha1.DomainName) []v1alpha1.Ministry {
	for _, m := range ministries {
		for _, own := range m.Spec.Domains {
			if own == domain {
				return []v1alpha1.Ministry{m}
			}
		}
	}
	return ministries
}
