package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/cmd/messagerie/local"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/admin/remote"
	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/directory"
)

func newMailbox() *cobra.Command {
	cmd := &cobra.Command{Use: "mailbox", Short: "Check, repair, export, import, pull and recover mail"}
	cmd.AddCommand(newMailboxCheck(), newMailboxRepair(), newMailboxCompact(), newMailboxExport(), newMailboxImport(), newMailboxPull(),
		newMailboxVault(), newMailboxRestore(), newMailboxHold())
	return cmd
}

// cellOf is a ministry's cell, reached by exec.
func cellOf(dir string, m *v1alpha1.Ministry) remote.Cell {
	return remote.Cell{Exec: func(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
		err := local.ExecInCell(ctx, dir, m, in, out, args...)
		if errors.Is(err, local.ErrNotHere) {
			err = fmt.Errorf("%w: %w", admin.ErrNoAccount, err)
		}
		return err
	}}
}

// namedCell is the cell of a ministry.
type namedCell struct {
	remote.Cell
	Name string
}

// locate finds the cell that holds an address, and returns the address as it holds it.
func locate(cmd *cobra.Command, dir, arg string) (namedCell, string, error) {
	address, err := directory.NormalizeAddress(arg)
	if err != nil {
		return namedCell{}, "", usagef("ADDRESS: %v", err)
	}
	ministries, err := cells(cmd, dir, "")
	if err != nil {
		return namedCell{}, "", err
	}
	for _, m := range holders(ministries, v1alpha1.DomainName(directory.DomainOf(address))) {
		cell := cellOf(dir, &m)
		_, err := cell.Describe(cmd.Context(), address)
		if !errors.Is(err, admin.ErrNoAccount) {
			return namedCell{cell, m.Name}, address, err
		}
	}
	return namedCell{}, "", fmt.Errorf("ADDRESS: found %s; accepted is the address of an account", address)
}

// goesOn says what to do after a copy has not come to its end.
func goesOn(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("stopped; the same command goes on")
	case errors.Is(err, archive.ErrIncomplete):
		return err
	}
	return fmt.Errorf("%w; the same command goes on", err)
}

// ticker tells of progress now and then on standard error.
type ticker struct {
	p    *progress
	next time.Time
}

const tick = 2 * time.Second

func newTicker() *ticker { return &ticker{newProgress(), time.Now().Add(tick)} }

func (t *ticker) step(format string, args ...any) {
	if now := time.Now(); now.After(t.next) {
		t.next = now.Add(tick)
		t.p.step(format, args...)
	}
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}
