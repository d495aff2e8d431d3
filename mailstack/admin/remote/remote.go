// Package remote asks a cell about mail from far away: it has "stackd mailbox ..." run in the cell's Pod, where that speaks
// to the cell's admin socket, and reads what it prints.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
)

// Exec runs stackd with args in a cell's Pod until it ends. The error wraps admin.ErrNoAccount if the cell does not hold the
// account. When it returns it may still hold in, but not out.
type Exec func(ctx context.Context, in io.Reader, out io.Writer, args ...string) error

// Cell is a cell behind an Exec. Its methods are those of admin.Client.
type Cell struct{ Exec Exec }

// Describe returns an account; admin.ErrNoAccount when the cell does not hold the address.
func (c Cell) Describe(ctx context.Context, address string) (admin.Description, error) {
	return one[admin.Description](ctx, c, "mailbox", "describe", address)
}

// Export writes an account's mailboxes to w as a tar stream, or only one and those below it.
func (c Cell) Export(ctx context.Context, address, mailbox string, w io.Writer) error {
	return c.Exec(ctx, nil, w, "mailbox", "export", "--mailbox="+mailbox, address)
}

// Import adds to an account what r has and the account has not, and yields the results.
func (c Cell) Import(ctx context.Context, address string, r archive.Reader, yield func(admin.ImportResult) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, feed := io.Pipe()
	fed := make(chan error, 1)
	go func() {
		err := write(ctx, feed, r)
		feed.CloseWithError(err) // nil: the end
		fed <- err
	}()
	err := each(ctx, c, in, yield, "mailbox", "import", address)
	in.CloseWithError(errEnded)
	if ferr := <-fed; ferr != nil && !errors.Is(ferr, errEnded) && ctx.Err() == nil {
		return ferr // why the other end saw half a stream
	}
	return err
}

// errEnded means that the other end reads no more.
var errEnded = errors.New("the command has ended")

func write(ctx context.Context, to io.Writer, r archive.Reader) error {
	w := archive.NewTarWriter(to)
	if _, err := archive.Copy(ctx, w, r, nil); err != nil {
		return err
	}
	return w.Close()
}

// Digests yields the messages of a mailbox with UIDs greater than after.
func (c Cell) Digests(ctx context.Context, address, mailbox string, after uint32, yield func(admin.Digest) error) error {
	return each(ctx, c, nil, yield, "mailbox", "digests", "--after="+strconv.FormatUint(uint64(after), 10), "--mailbox="+mailbox, address)
}

// Vault yields the expunged messages of an account that can be recovered.
func (c Cell) Vault(ctx context.Context, address string, yield func(admin.VaultEntry) error) error {
	return each(ctx, c, nil, yield, "mailbox", "vault", address)
}

// Restore puts messages from the vault back.
func (c Cell) Restore(ctx context.Context, address string, r admin.RestoreRequest) (admin.RestoreResult, error) {
	args := []string{"mailbox", "restore", "--mailbox=" + r.Mailbox}
	if r.Since != nil {
		return one[admin.RestoreResult](ctx, c, append(args, "--since="+r.Since.Format(time.RFC3339Nano), address)...)
	}
	ids, err := json.Marshal(r.IDs) // on standard input: they can be many
	if err != nil {
		return admin.RestoreResult{}, err
	}
	return oneOf[admin.RestoreResult](ctx, c, bytes.NewReader(ids), append(args, address)...)
}

// SetHold sets or ends an account's legal hold.
func (c Cell) SetHold(ctx context.Context, address string, on bool) error {
	return c.Exec(ctx, nil, io.Discard, "mailbox", "hold", address, map[bool]string{true: "on", false: "off"}[on])
}

// Check yields what does not fit together in the cell's store, or in one account.
func (c Cell) Check(ctx context.Context, address string, yield func(admin.Problem) error) error {
	return each(ctx, c, nil, yield, "mailbox", "check", "--address="+address)
}

// Repair mends what can be mended and yields what there was.
func (c Cell) Repair(ctx context.Context, r admin.RepairRequest, yield func(admin.Mended) error) error {
	return each(ctx, c, nil, yield, "mailbox", "repair", "--address="+r.Address,
		"--yes="+strconv.FormatBool(r.Do), "--remove-lost="+strconv.FormatBool(r.RemoveLost))
}

// Compact gets back the room of messages that nothing refers to.
func (c Cell) Compact(ctx context.Context) (admin.Compaction, error) {
	return one[admin.Compaction](ctx, c, "mailbox", "compact")
}

func one[T any](ctx context.Context, c Cell, args ...string) (T, error) {
	return oneOf[T](ctx, c, nil, args...)
}

// oneOf reads the one line that a command prints.
func oneOf[T any](ctx context.Context, c Cell, in io.Reader, args ...string) (v T, err error) {
	n := 0
	err = each(ctx, c, in, func(line T) error { v = line; n++; return nil }, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("stackd %s: found %d lines; accepted is 1", args[1], n)
	}
	return v, err
}

// each yields the lines that a command prints while it runs.
func each[T any](ctx context.Context, c Cell, in io.Reader, yield func(T) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := admin.ReadLines(read, yield)
		if err != nil {
			cancel() // nobody wants the rest
		}
		read.CloseWithError(errEnded)
		ended <- err
	}()
	err := c.Exec(ctx, in, out, args...)
	out.Close()
	if lerr := <-ended; lerr != nil {
		return lerr
	}
	return err
}
