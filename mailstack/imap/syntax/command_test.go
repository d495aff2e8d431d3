package syntax

import (
	"errors"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// reader returns a Reader of what a client sends, at the arguments of its first command.
func reader(t testing.TB, s string) *wire.Reader {
	t.Helper()
	r := wire.NewReader(strings.NewReader(s), wire.Limits{}, func(string) error { return nil })
	if _, err := r.Tag(); err != nil {
		t.Fatal(err)
	}
	if _, err := Command(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCommand(t *testing.T) {
	for _, test := range []struct{ line, name string }{
		{"a1 NOOP", "NOOP"},
		{"a1 noop", "NOOP"},
		{"a1 uid fetch 1 flags", "UID FETCH"},
		{"a1 UID EXPUNGE 1", "UID EXPUNGE"},
		{"a1 XYZZY", "XYZZY"},
		{"a1 UID NOOP", ""},
		{"a1 UID", ""},
		{"a1 ", ""},
		{"a1", ""},
		{"a1  NOOP", ""},
		{"a1 (", ""},
	} {
		r := wire.NewReader(strings.NewReader(test.line+"\r\n"), wire.Limits{}, nil)
		if _, err := r.Tag(); err != nil {
			t.Fatalf("%q: %v", test.line, err)
		}
		name, err := Command(r)
		if name != test.name {
			t.Errorf("%q: got %q, %v", test.line, name, err)
		}
		if syntax := new(wire.SyntaxError); test.name == "" && !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, which is no syntax error", test.line, err)
		}
	}
}
