package syntax

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// FuzzCommand reads whatever a client sends: nothing panics, what is understood can be printed and is then understood as the
// same, and it does not matter how the bytes arrive.
func FuzzCommand(f *testing.F) {
	for _, tests := range [][]parsed{generalCommands, listCommands, fetchCommands, searchCommands} {
		for _, test := range tests {
			f.Add([]byte("a "+test.command+"\r\nb NOOP\r\n"), false)
		}
	}
	for _, command := range refusedCommands {
		f.Add([]byte("a "+command+"\r\nb NOOP\r\n"), false)
	}
	f.Add([]byte("a SELECT \"R\xc3\xa9\"\r\n"), true)
	f.Add([]byte("a LIST \"\" (\"R\xc3\xa9*\" {3+}\r\n\xc3\xa9x)\r\n"), true)
	f.Fuzz(func(t *testing.T, input []byte, utf8 bool) {
		whole := session(t, strings.NewReader(string(input)), utf8, true)
		pieces := session(t, iotest.OneByteReader(strings.NewReader(string(input))), utf8, false)
		if !reflect.DeepEqual(whole, pieces) {
			t.Errorf("%q is %+v whole, and %+v in pieces", input, whole, pieces)
		}
	})
}

// session reads up to ten commands, and says of each what was read, or what was wrong.
func session(t *testing.T, src io.Reader, utf8, again bool) (results []any) {
	limits := wire.Limits{Line: 4096, Literal: 1024, Literals: 2048, Depth: 16, Items: 256, Discard: 8192}
	r := wire.NewReader(src, limits, func(string) error { return nil })
	r.UTF8 = utf8
	for range 10 {
		_, err := r.Tag()
		var name string
		if err == nil {
			name, err = Command(r)
		}
		var args any
		known := false
		if err == nil {
			args, known, err = parse(name, r)
		}
		results = append(results, name, err)
		syntax := new(wire.SyntaxError)
		switch {
		case err == nil && known:
			results = append(results, args)
			if again && !utf8 {
				printAgain(t, name, args)
			}
		case err != nil && !errors.As(err, &syntax) && !errors.Is(err, wire.ErrTooBig):
			return results
		}
	}
	return results
}

// printAgain prints a command and reads that. Printing adds parentheses and braces, so that there is more room.
func printAgain(t *testing.T, name string, args any) {
	line := print(name, args)
	limits := wire.Limits{Line: 1 << 20, Literal: 4096, Literals: 1 << 20, Depth: 64, Items: 1024}
	r := wire.NewReader(strings.NewReader("a "+line), limits, nil)
	if _, err := r.Tag(); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if _, err := Command(r); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if got, _, err := parse(name, r); err != nil || !reflect.DeepEqual(got, args) {
		t.Errorf("%+v is printed as %q, which is %+v, %v", args, line, got, err)
	}
}

// FuzzMessageURL parses anything as a URL.
func FuzzMessageURL(f *testing.F) {
	for _, url := range []string{
		"/INBOX;UIDVALIDITY=785799047/;UID=113330/;SECTION=1.5.9", "/a/;uid=1/;section=HEADER.FIELDS%20(From)/;partial=0.10", "/%C3%A9/;UID=1",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		u, err := ParseMessageURL(url)
		if (err == nil) != (u.UID != 0) && err == nil {
			t.Errorf("%q has no UID", url)
		}
		if p := u.Partial; err == nil && p != nil && (p.Offset < 0 || p.Size < 0 || p.Offset+p.Size < p.Offset) {
			t.Errorf("%q has the range %+v", url, p)
		}
	})
}
