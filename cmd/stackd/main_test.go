package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/version"
)

// backend holds one account.
type backend struct{ password, scram string }

func (*backend) PutAccounts(context.Context, []admin.Account, string) (admin.Result, error) {
	return admin.Result{}, errors.New("not for the command line")
}

func (*backend) Accounts(_ context.Context, yield func(admin.Account) error) error {
	return yield(admin.Account{Address: "afi@gouv.tg", Name: "Afi", Messages: 3, UsedBytes: 4096, Disabled: true})
}

func (b *backend) SetPassword(_ context.Context, address, hash, scram string) error {
	if address != "afi@gouv.tg" {
		return fmt.Errorf("%w: %s", admin.ErrNoAccount, address)
	}
	b.password, b.scram = hash, scram
	return nil
}

func (*backend) Status(context.Context) (admin.Status, error) { return admin.Status{}, nil }

func serveSocket(t *testing.T, b admin.Backend) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := admin.NewServer(b, slog.New(slog.DiscardHandler))
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return path
}

func TestAccounts(t *testing.T) {
	b := &backend{}
	socket := serveSocket(t, b)
	call := func(in string, args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), args, strings.NewReader(in), &out)
		return out.String(), err
	}
	out, err := call("", "accounts", "list", "--socket", socket)
	if err != nil || !strings.Contains(out, "ADDRESS") || !strings.Contains(out, "afi@gouv.tg  Afi") || !strings.Contains(out, "disabled") {
		t.Errorf("list: %q, %v", out, err)
	}
	out, err = call("", "accounts", "list", "--socket", socket, "-o", "json")
	if err != nil || out != `{"address":"afi@gouv.tg","name":"Afi","usedBytes":4096,"messages":3,"disabled":true}`+"\n" {
		t.Errorf("list -o json: %q, %v", out, err)
	}
	for _, in := range []string{"mot de passe", "mot de passe\n", "mot de passe\r\n"} {
		if _, err := call(in, "accounts", "set-password", "--socket", socket, "Afi@gouv.tg"); err != nil {
			t.Fatal(err)
		}
		if ok, _, err := directory.Verify(b.password, "mot de passe"); !ok || err != nil || !strings.HasPrefix(b.password, "$argon2id$") {
			t.Errorf("set-password of %q stores %q", in, b.password)
		}
		if _, err := sasl.ParseVerifier(b.scram); err != nil {
			t.Errorf("set-password of %q stores the verifier %q", in, b.scram)
		}
	}
	for name, tc := range map[string]struct {
		in   string
		args []string
	}{
		"nobody":         {"x", []string{"nobody@gouv.tg"}},
		"not an address": {"x", []string{"afi"}},
		"empty password": {"\n", []string{"afi@gouv.tg"}},
		"long password":  {strings.Repeat("x", 2000), []string{"afi@gouv.tg"}},
		"no cell":        {"x", []string{"--socket", socket + "x", "afi@gouv.tg"}},
	} {
		args := append([]string{"accounts", "set-password", "--socket", socket}, tc.args...)
		if _, err := call(tc.in, args...); err == nil || errors.Is(err, errUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"frobnicate"}, {"accounts"}, {"accounts", "drop"}, {"accounts", "list", "x"}, {"accounts", "list", "-o", "xml"},
		{"accounts", "set-password"}, {"gateway", "--frobnicate"}, {"cell", "x"}, {"version", "-o", "xml"},
	} {
		if err := run(t.Context(), args, strings.NewReader(""), &bytes.Buffer{}); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want a mistake of usage", args, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for format, want := range map[string]string{"table": version.Version + "\n", "json": `{"version":"` + version.Version + `"}` + "\n"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"version", "-o", format}, nil, &out); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", format, out.String(), err)
		}
	}
}

func TestRolesNeedTheirConfiguration(t *testing.T) {
	for _, role := range []string{"cell", "gateway", "loadworker"} {
		err := run(t.Context(), []string{role, "--config", filepath.Join(t.TempDir(), "none.json")}, nil, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), "none.json") {
			t.Errorf("%s: %v", role, err)
		}
	}
}
