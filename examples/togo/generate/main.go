// Command generate writes the government of Togo as a Platform and 31 ministries, and on request accounts for its
// 70,000 agents, with names put together at random. The people are made up; the same seed makes the same ones.
package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	data := flags.String("data", "examples/togo/data", "folder with ministries.csv and energie-entities.csv")
	government := flags.String("government", "", "write the Platform and the ministries to this file")
	accounts := flags.String("accounts", "", "write accounts, and the Platform and ministries beside them, into this folder")
	seed := flags.Uint64("seed", 1, "which people are made up")
	passwordSeed := flags.String("password-seed", "", "derive the passwords from this secret, to get the same ones again; default: random")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *government == "" && *accounts == "" {
		return fmt.Errorf("nothing to do: give -government FILE or -accounts DIR")
	}
	institutions, err := readInstitutions(*data)
	if err != nil {
		return err
	}
	if *government != "" {
		if err := writeGovernment(*government, institutions); err != nil {
			return err
		}
	}
	if *accounts == "" {
		return nil
	}
	if *passwordSeed == "" {
		*passwordSeed = rand.Text()
	}
	if err := os.MkdirAll(*accounts, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	if err := writeGovernment(filepath.Join(*accounts, "government.yaml"), institutions); err != nil {
		return err
	}
	count, err := writeAccounts(*accounts, institutions, *seed, *passwordSeed)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d accounts of %d institutions in %s; their passwords in passwords.csv there\n", count, len(institutions), *accounts)
	return nil
}
