// Command stackd is what the system's Pods run: a gateway, a cell or a worker of a load test. Inside a cell's Pod it also manages
// accounts and their mail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"gouv.tg/messagerie/mailstack/admin"
)

const usage = `stackd runs the parts of Messagerie.

Usage:
  stackd cell --config FILE
  stackd gateway --config FILE
  stackd loadworker --config FILE
  stackd accounts list [--socket PATH] [-o table|json]
  stackd accounts set-password [--socket PATH] ADDRESS     (password on standard input)
  stackd mailbox check [--socket PATH] [--address ADDRESS]
  stackd mailbox repair [--socket PATH] [--address ADDRESS] [--yes] [--remove-lost]
  stackd mailbox compact [--socket PATH]
  stackd mailbox describe [--socket PATH] ADDRESS
  stackd mailbox export [--socket PATH] [--mailbox NAME] ADDRESS     (a tar stream on standard output)
  stackd mailbox import [--socket PATH] ADDRESS                      (a tar stream on standard input)
  stackd mailbox digests [--socket PATH] [--mailbox NAME] [--after UID] ADDRESS
  stackd mailbox vault [--socket PATH] ADDRESS
  stackd mailbox restore [--socket PATH] [--mailbox NAME] [--since TIME] ADDRESS   (or ids on standard input)
  stackd mailbox hold [--socket PATH] ADDRESS on|off
  stackd version [-o table|json]

Example:
  stackd accounts set-password prenom.nom@gouv.tg < password.txt
`

// errUsage ends with exit code 2.
var errUsage = errors.New("usage")

// exitNotHere says that this cell does not hold the account: another one may.
const exitNotHere = 4

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "stackd: %v\n\n%s", err, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "stackd: %v\n", err)
		if errors.Is(err, admin.ErrNoAccount) {
			os.Exit(exitNotHere)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: no command was given", errUsage)
	}
	switch args[0] {
	case "cell", "gateway", "loadworker":
		return serve(ctx, args[0], args[1:])
	case "accounts":
		return accounts(ctx, args[1:], in, out)
	case "mailbox":
		return mailbox(ctx, args[1:], in, out)
	case "version":
		return printVersion(args[1:], out)
	case "help", "-h", "--help":
		fmt.Fprint(out, usage)
		return nil
	}
	return fmt.Errorf("%w: found the command %q; accepted are cell, gateway, loadworker, accounts, mailbox, version", errUsage, args[0])
}
