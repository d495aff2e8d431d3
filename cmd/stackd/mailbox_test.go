package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/admin/remote"
	"gouv.tg/messagerie/mailstack/archive"
)

// mail is an admin.Mailboxes that notes what it is asked.
type mail struct {
	asked string
	items []archive.Item
	fail  error
}

func (m *mail) note(format string, args ...any) error {
	m.asked = fmt.Sprintf(format, args...)
	if strings.Contains(m.asked, "nobody@") {
		return admin.ErrNoAccount
	}
	return m.fail
}

func (m *mail) Describe(_ context.Context, address string) (admin.Description, error) {
	return admin.Description{Account: admin.Account{Address: address, Password: "secret", Messages: 3}, Hold: true}, m.note("describe %s", address)
}

func (m *mail) Export(_ context.Context, address, mailbox string, w archive.Writer) error {
	if err := m.note("export %s %s", address, mailbox); err != nil {
		return err
	}
	for _, i := range m.items {
		if err := w.Write(i); err != nil {
			return err
		}
	}
	return nil
}

func (m *mail) Import(_ context.Context, address string, items []archive.Item) (admin.ImportResult, error) {
	var result admin.ImportResult
	for _, i := range items {
		if i, ok := i.(*archive.Message); ok {
			result.Messages = append(result.Messages, admin.Imported{Mailbox: i.Mailbox, State: admin.Stored, UID: uint32(len(result.Messages) + 1)})
		}
		m.items = append(m.items, i)
	}
	return result, m.note("import %s", address)
}

var digest = admin.Digest{UID: 7, UIDValidity: 5, Size: 3, SHA256: "00", Flags: []string{`\Seen`}, Date: time.Unix(5, 0).UTC()}

func (m *mail) Digests(_ context.Context, address, mailbox string, after uint32, yield func(admin.Digest) error) error {
	if err := m.note("digests %s %s %d", address, mailbox, after); err != nil {
		return err
	}
	for range 3 {
		if err := yield(digest); err != nil {
			return err
		}
	}
	return nil
}

func (m *mail) Vault(_ context.Context, address string, yield func(admin.VaultEntry) error) error {
	if err := m.note("vault %s", address); err != nil {
		return err
	}
	return yield(admin.VaultEntry{ID: 5, Subject: "<é>"})
}

func (m *mail) Restore(_ context.Context, address string, r admin.RestoreRequest) (admin.RestoreResult, error) {
	return admin.RestoreResult{Restored: 2, Missing: []int64{9}}, m.note("restore %s %v %v %s", address, r.IDs, r.Since, r.Mailbox)
}

func (m *mail) SetHold(_ context.Context, address string, on bool) error {
	return m.note("hold %s %v", address, on)
}

func (m *mail) Check(_ context.Context, address string, yield func(admin.Problem) error) error {
	if err := m.note("check %s", address); err != nil {
		return err
	}
	return yield(admin.Problem{Address: address, Where: "uid 5", What: "x"})
}

func (m *mail) Repair(_ context.Context, r admin.RepairRequest, yield func(admin.Mended) error) error {
	if err := m.note("repair %+v", r); err != nil {
		return err
	}
	return yield(admin.Mended{Action: "count", Done: true})
}

func (m *mail) Compact(context.Context) (admin.Compaction, error) {
	return admin.Compaction{Removed: 3}, m.note("compact")
}

// cellOf is a cell behind the commands of this program.
func cellOf(t *testing.T, m *mail) (c remote.Cell, socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := admin.NewSocketServer(&backend{}, m, slog.New(slog.DiscardHandler))
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return remote.Cell{Exec: func(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
		args = append([]string{args[0], args[1], "--socket", socket}, args[2:]...)
		return run(ctx, args, in, out)
	}}, socket
}

type items []archive.Item

func (r *items) Next() (archive.Item, error) {
	if len(*r) == 0 {
		return nil, io.EOF
	}
	i := (*r)[0]
	*r = (*r)[1:]
	return i, nil
}

// TestMailboxFromAfar asks as the messagerie command does, through the arguments and output of this one.
func TestMailboxFromAfar(t *testing.T) {
	ctx := t.Context()
	m := &mail{}
	c, _ := cellOf(t, m)
	const afi = "afi@gouv.tg"
	asked := func(want string) {
		t.Helper()
		if m.asked != want {
			t.Errorf("asked for %q, want %q", m.asked, want)
		}
	}

	d, err := c.Describe(ctx, "Afi@gouv.tg")
	if err != nil || d.Address != afi || !d.Hold || d.Messages != 3 || d.Password != "" {
		t.Errorf("%+v, %v", d, err)
	}
	asked("describe " + afi)

	box, message := &archive.Mailbox{Name: "a b"}, &archive.Message{Mailbox: "a b", Raw: []byte("x"), Date: time.UnixMilli(5).UTC()}
	m.items = []archive.Item{box, message, &archive.Summary{Mailboxes: 1, Messages: 1, Bytes: 1}}
	var b bytes.Buffer
	if err := c.Export(ctx, afi, "a b/-c", &b); err != nil {
		t.Fatal(err)
	}
	asked("export " + afi + " a b/-c")
	r := archive.NewTarReader(&b)
	for _, want := range m.items {
		if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("exported %+v, %v; want %+v", got, err, want)
		}
	}

	m.items = nil
	var results []admin.ImportResult
	err = c.Import(ctx, afi, &items{box, message, message}, func(r admin.ImportResult) error { results = append(results, r); return nil })
	if err != nil || len(results) != 1 || len(results[0].Messages) != 2 || results[0].Messages[1].UID != 2 {
		t.Errorf("%+v, %v", results, err)
	}
	if want := []archive.Item{box, message, message}; !reflect.DeepEqual(m.items, want) {
		t.Errorf("imported %+v, want %+v", m.items, want)
	}

	var digests []admin.Digest
	err = c.Digests(ctx, afi, "a", 6, func(d admin.Digest) error { digests = append(digests, d); return nil })
	if err != nil || len(digests) != 3 || !reflect.DeepEqual(digests[2], digest) {
		t.Errorf("%+v, %v", digests, err)
	}
	asked("digests " + afi + " a 6")

	var entries []admin.VaultEntry
	err = c.Vault(ctx, afi, func(e admin.VaultEntry) error { entries = append(entries, e); return nil })
	if err != nil || len(entries) != 1 || entries[0].Subject != "<é>" {
		t.Errorf("%+v, %v", entries, err)
	}

	result, err := c.Restore(ctx, afi, admin.RestoreRequest{IDs: []int64{1, 2}, Mailbox: "b c"})
	if err != nil || result.Restored != 2 || len(result.Missing) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	asked("restore " + afi + " [1 2] <nil> b c")
	since := time.Date(2026, 11, 2, 10, 0, 0, 5, time.UTC)
	if _, err := c.Restore(ctx, afi, admin.RestoreRequest{Since: &since}); err != nil {
		t.Error(err)
	}
	asked("restore " + afi + " [] 2026-11-02 10:00:00.000000005 +0000 UTC ")

	for _, on := range []bool{true, false} {
		if err := c.SetHold(ctx, afi, on); err != nil {
			t.Error(err)
		}
		asked(fmt.Sprintf("hold %s %v", afi, on))
	}
}

func TestRepairFromAfar(t *testing.T) {
	ctx := t.Context()
	m := &mail{}
	c, _ := cellOf(t, m)
	for _, address := range []string{"", "afi@gouv.tg"} {
		var problems []admin.Problem
		err := c.Check(ctx, address, func(p admin.Problem) error { problems = append(problems, p); return nil })
		if err != nil || len(problems) != 1 || problems[0] != (admin.Problem{Address: address, Where: "uid 5", What: "x"}) || m.asked[:5] != "check" && m.asked[:8] != "describe" {
			t.Errorf("%+v, %v", problems, err)
		}
		for _, r := range []admin.RepairRequest{{Address: address}, {Address: address, Do: true}, {Address: address, Do: true, RemoveLost: true}} {
			var mended []admin.Mended
			err := c.Repair(ctx, r, func(m admin.Mended) error { mended = append(mended, m); return nil })
			if err != nil || len(mended) != 1 || !mended[0].Done || m.asked != fmt.Sprintf("repair %+v", r) {
				t.Errorf("%+v, %v; asked for %q", mended, err, m.asked)
			}
		}
	}
	if done, err := c.Compact(ctx); err != nil || done.Removed != 3 {
		t.Errorf("%+v, %v", done, err)
	}
	m.fail = errors.New("disk is on fire")
	if _, err := c.Compact(ctx); err == nil {
		t.Error("a compaction that fails")
	}
	if err := c.Check(ctx, "", func(admin.Problem) error { return nil }); err == nil {
		t.Error("a check that fails")
	}
	if err := c.Check(ctx, "nobody@gouv.tg", nil); !errors.Is(err, admin.ErrNoAccount) {
		t.Errorf("a check of nobody: %v", err)
	}
	if err := c.Repair(ctx, admin.RepairRequest{Address: "nobody"}, nil); err == nil || !strings.Contains(err.Error(), "address") {
		t.Errorf("a repair of no address: %v", err)
	}
}

func TestMailboxFailsFromAfar(t *testing.T) {
	ctx := t.Context()
	m := &mail{}
	c, _ := cellOf(t, m)
	none := func(admin.ImportResult) error { return nil }
	for name, do := range map[string]func(address string) error{
		"describe": func(a string) error { _, err := c.Describe(ctx, a); return err },
		"export":   func(a string) error { return c.Export(ctx, a, "", io.Discard) },
		"import":   func(a string) error { return c.Import(ctx, a, &items{&archive.Mailbox{Name: "a"}}, none) },
		"digests":  func(a string) error { return c.Digests(ctx, a, "a", 0, func(admin.Digest) error { return nil }) },
		"vault":    func(a string) error { return c.Vault(ctx, a, func(admin.VaultEntry) error { return nil }) },
		"restore":  func(a string) error { _, err := c.Restore(ctx, a, admin.RestoreRequest{IDs: []int64{1}}); return err },
		"hold":     func(a string) error { return c.SetHold(ctx, a, true) },
	} {
		m.fail = nil
		if err := do("nobody@gouv.tg"); !errors.Is(err, admin.ErrNoAccount) {
			t.Errorf("%s of nobody: %v", name, err)
		}
		m.fail = errors.New("disk is on fire")
		if err := do("afi@gouv.tg"); err == nil || errors.Is(err, errUsage) {
			t.Errorf("%s of a cell that fails: %v", name, err)
		}
	}
	m.fail = nil
	broken := errors.New("file is broken")
	if err := c.Import(ctx, "afi@gouv.tg", failing{broken}, none); !errors.Is(err, broken) {
		t.Errorf("import from what cannot be read: %v", err)
	}
	stop := errors.New("enough")
	if err := c.Digests(ctx, "afi@gouv.tg", "a", 0, func(admin.Digest) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a caller that wants no more: %v", err)
	}
	var many items
	for range 3000 {
		many = append(many, &archive.Message{Mailbox: "a", Raw: []byte("x")})
	}
	if err := c.Import(ctx, "afi@gouv.tg", &many, func(admin.ImportResult) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an import whose caller wants no more: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Import(cancelled, "afi@gouv.tg", &items{&archive.Mailbox{Name: "a"}}, none); !errors.Is(err, context.Canceled) {
		t.Errorf("an import that was cancelled: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Next() (archive.Item, error) { return nil, f.err }

func TestMailboxUsage(t *testing.T) {
	for _, args := range [][]string{
		{"mailbox"}, {"mailbox", "drop"}, {"mailbox", "export"}, {"mailbox", "export", "afi"}, {"mailbox", "export", "a@gouv.tg", "b@gouv.tg"},
		{"mailbox", "hold", "a@gouv.tg"}, {"mailbox", "hold", "a@gouv.tg", "maybe"}, {"mailbox", "digests", "--after", "-1", "a@gouv.tg"},
		{"mailbox", "digests", "--after", "4294967296", "a@gouv.tg"}, {"mailbox", "restore", "--since", "yesterday", "a@gouv.tg"},
		{"mailbox", "restore", "a@gouv.tg"},
	} {
		if err := run(t.Context(), args, strings.NewReader(""), &bytes.Buffer{}); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want a mistake of usage", args, err)
		}
	}
}
