package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
)

// mailboxVerb is a command about mail. They print JSON, one object a line, or a tar stream.
type mailboxVerb func(ctx context.Context, v *verb, in io.Reader, out io.Writer) error

var mailboxVerbs = map[string]mailboxVerb{
	"check":    checkMailboxes,
	"compact":  compactMailboxes,
	"describe": describeMailbox,
	"digests":  digestMailbox,
	"export":   exportMailbox,
	"hold":     holdMailbox,
	"import":   importMailbox,
	"repair":   repairMailboxes,
	"restore":  restoreMailbox,
	"vault":    listVault,
}

func mailbox(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	names := make([]string, 0, len(mailboxVerbs))
	for name := range mailboxVerbs {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(args) == 0 {
		return fmt.Errorf("%w: mailbox: no command was given; accepted are %s", errUsage, strings.Join(names, ", "))
	}
	run := mailboxVerbs[args[0]]
	if run == nil {
		return fmt.Errorf("%w: mailbox: found %q; accepted are %s", errUsage, args[0], strings.Join(names, ", "))
	}
	v := &verb{flags: newFlags("mailbox " + args[0]), args: args[1:]}
	v.socket = v.flags.String("socket", defaultSocket, "unix socket of the cell, a `PATH`")
	defer v.close()
	return run(ctx, v, in, out)
}

// verb is one command line.
type verb struct {
	flags  *flag.FlagSet
	args   []string
	socket *string
	client *admin.Client
}

// account parses the arguments, the first operand of n as an address, and makes the client.
func (v *verb) account(n int) (address string, err error) {
	if err := v.parse(n); err != nil {
		return "", err
	}
	if address, err = directory.NormalizeAddress(v.flags.Arg(0)); err != nil {
		return "", fmt.Errorf("%w: ADDRESS: %w", errUsage, err)
	}
	return address, nil
}

func (v *verb) parse(n int) error {
	if err := parse(v.flags, v.args, n); err != nil {
		return err
	}
	v.client = admin.NewUnixClient(*v.socket)
	return nil
}

func (v *verb) close() {
	if v.client != nil {
		v.client.Close()
	}
}

// printer prints one object a line.
func printer[T any](out io.Writer) func(T) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return func(v T) error { return enc.Encode(v) }
}
