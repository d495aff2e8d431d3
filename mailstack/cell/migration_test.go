package cell

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/migration"
)

// TestMigrateByFile takes an account through a file to another one, as the commands for it do.
func TestMigrateByFile(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent, other)
	c.fillAccount(rand.New(rand.NewPCG(3, 3)), agent)
	file := filepath.Join(t.TempDir(), "x.tar")
	seen := 0
	total, lost, err := migration.Export(t.Context(), c.admin, agent, "", file, archive.Tar, func(s archive.Summary) { seen = s.Messages })
	if err != nil || len(lost) > 0 || total.Messages != seen || total.Messages == 0 {
		t.Fatalf("%+v, %v, %v; progress up to %d", total, lost, err, seen)
	}
	for round := range 2 {
		report, err := migration.Import(t.Context(), c.admin, other, "", file, "", func(migration.Report) {})
		if err != nil || report.Stored+report.Present+report.Known != total.Messages || (report.Stored == 0) != (round == 1) || report.Refused+report.Lost > 0 || report.Bytes != total.Bytes {
			t.Errorf("round %d: %+v, %v", round, report, err)
		}
	}
	_, want := c.export(agent, "")
	if _, got := c.export(other, ""); !reflect.DeepEqual(got, want) {
		t.Error("accounts differ")
	}
	if _, _, err := migration.Export(t.Context(), c.admin, agent, "", file, archive.Tar, nil); err == nil || !strings.Contains(err.Error(), "--out: found") {
		t.Errorf("over a file: %v", err)
	}
	if _, err := migration.Import(t.Context(), c.admin, other, "", file+"x", "", nil); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "--from: ") {
		t.Errorf("from nothing: %v", err)
	}
}

// TestExportLeavesNothing: what was not completed is not there.
func TestExportLeavesNothing(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent)
	c.fillAccount(rand.New(rand.NewPCG(3, 3)), agent)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	for name, f := range map[string]func() error{
		"cancelled": func() error {
			_, _, err := migration.Export(ctx, c.admin, agent, "", filepath.Join(dir, "a"), archive.EML, func(archive.Summary) { cancel() })
			return err
		},
		"no account": func() error {
			_, _, err := migration.Export(t.Context(), c.admin, other, "", filepath.Join(dir, "b"), archive.Tar, nil)
			return err
		},
		"broken off": func() error {
			_, _, err := migration.Export(t.Context(), half{c}, agent, "", filepath.Join(dir, "c"), archive.Tar, func(archive.Summary) {})
			return err
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// half gives half an archive without an error.
type half struct{ *testCell }

func (h half) Export(_ context.Context, address, mailbox string, w io.Writer) error {
	text, _ := h.export(address, mailbox)
	_, err := w.Write(text[:len(text)/2])
	return err
}

func (h half) Import(context.Context, string, archive.Reader, func(admin.ImportResult) error) error {
	return nil
}

// TestImportOfHalf: an archive that was cut is imported as far as it goes, and not taken for whole.
func TestImportOfHalf(t *testing.T) {
	c := startCell(t, testConfig(t, newAuthority(t), "finances"))
	c.accounts(agent, other)
	c.fillAccount(rand.New(rand.NewPCG(3, 3)), agent)
	text, _ := c.export(agent, "")
	file := filepath.Join(t.TempDir(), "x.tar")
	write(t, file, text[:len(text)/2])
	report, err := migration.Import(t.Context(), c.admin, other, "", file, "", func(migration.Report) {})
	if !errors.Is(err, archive.ErrIncomplete) || report.Stored == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
