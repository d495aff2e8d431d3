package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// written returns what write writes.
func written(t testing.TB, utf8 bool, write func(w *Writer)) string {
	t.Helper()
	var b strings.Builder
	w := NewWriter(&b)
	w.UTF8 = utf8
	write(w)
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	return b.String()
}

func TestWriter(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	for _, test := range []struct {
		name  string
		write func(w *Writer)
		plain string
		utf8  string // empty: the same
	}{
		{"string", func(w *Writer) { w.String("a b") }, `"a b"`, ""},
		{"empty string", func(w *Writer) { w.String("") }, `""`, ""},
		{"escapes", func(w *Writer) { w.String(`a"b\c`) }, `"a\"b\\c"`, ""},
		{"line breaks", func(w *Writer) { w.String("a\r\nb") }, "{4}\r\na\r\nb", ""},
		{"NUL", func(w *Writer) { w.String("a\x00b") }, `"ab"`, ""},
		{"UTF-8", func(w *Writer) { w.String("é") }, "{2}\r\né", `"é"`},
		{"UTF-8 with quotes", func(w *Writer) { w.String(`"é"`) }, "{4}\r\n\"é\"", `"\"é\""`},
		{"not UTF-8", func(w *Writer) { w.String("\xe9") }, "{1}\r\n\xe9", ""},
		{"NIL", func(w *Writer) { w.NString("a", false) }, "NIL", ""},
		{"nstring", func(w *Writer) { w.NString("NIL", true) }, `"NIL"`, ""},
		{"astring", func(w *Writer) { w.AString("/private/comment") }, "/private/comment", ""},
		{"astring with a space", func(w *Writer) { w.AString("a b") }, `"a b"`, ""},
		{"astring NIL", func(w *Writer) { w.AString("nil") }, `"nil"`, ""},
		{"astring empty", func(w *Writer) { w.AString("") }, `""`, ""},
		{"INBOX", func(w *Writer) { w.Mailbox("INBOX") }, "INBOX", ""},
		{"mailbox", func(w *Writer) { w.Mailbox("Reçus") }, `"Re&AOc-us"`, `"Reçus"`},
		{"mailbox with ampersand", func(w *Writer) { w.Mailbox("A&B") }, `"A&-B"`, `"A&B"`},
		{"mailbox with emoji", func(w *Writer) { w.Mailbox("😀/日本") }, `"&2D3eAA-/&ZeVnLA-"`, `"😀/日本"`},
		{"prefix", func(w *Writer) { w.Prefix("Été/") }, `"&AMk-t&AOk-/"`, `"Été/"`},
		{"number", func(w *Writer) { w.Number(18446744073709551615) }, "18446744073709551615", ""},
		{"flags", func(w *Writer) { w.Flags([]imap.Flag{imap.FlagSeen, "$Forwarded"}) }, `(\Seen $Forwarded)`, ""},
		{"no flags", func(w *Writer) { w.Flags(nil) }, "()", ""},
		{"date", func(w *Writer) { w.DateTime(time.Date(1996, 7, 17, 2, 44, 25, 0, zone)) }, `"17-Jul-1996 02:44:25 -0700"`, ""},
		{"day of one digit", func(w *Writer) { w.DateTime(time.Date(2026, 2, 1, 12, 3, 0, 0, time.UTC)) }, `" 1-Feb-2026 12:03:00 +0000"`, ""},
		{"text", func(w *Writer) { w.Text("a\r\nb é") }, "a??b ?", "a??b é"},
		{"sequence set", func(w *Writer) { w.NumSet(imap.SeqSet{{Start: 1, Stop: 3}, {Start: 7, Stop: 7}, {Start: 9}}) }, "1:3,7,9:*", ""},
		{"set of *", func(w *Writer) { w.NumSet(imap.UIDSet{{}}) }, "*", ""},
		{"saved set", func(w *Writer) { w.NumSet(imap.SearchRes()) }, "$", ""},
		{"numbers in order", func(w *Writer) { Numbers(w, []uint32{5, 1, 2, 3, 9, 8, 7}) }, "5,1:3,9,8,7", ""},
		{"UIDs", func(w *Writer) { Numbers(w, []imap.UID{4294967294, 4294967295}) }, "4294967294:4294967295", ""},
		{"literal", func(w *Writer) { w.Literal(5, strings.NewReader("hello, world")) }, "{5}\r\nhello", ""},
		{"empty literal", func(w *Writer) { w.Literal(0, strings.NewReader("")) }, "{0}\r\n", ""},
		{"literal8", func(w *Writer) { w.Literal8(3, strings.NewReader("a\x00b")) }, "~{3}\r\na\x00b", ""},
		{"bytes", func(w *Writer) { w.LiteralBytes([]byte("ab")) }, "{2}\r\nab", ""},
		{"bytes8", func(w *Writer) { w.LiteralBytes8([]byte("a\x00b")) }, "~{3}\r\na\x00b", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := written(t, false, test.write); got != test.plain {
				t.Errorf("got %q; want %q", got, test.plain)
			}
			if test.utf8 == "" {
				test.utf8 = test.plain
			}
			if got := written(t, true, test.write); got != test.utf8 {
				t.Errorf("UTF-8: got %q; want %q", got, test.utf8)
			}
		})
	}
}

// TestWriterLengths writes things of all lengths around that of the buffer.
func TestWriterLengths(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 3*writeBuffer/16)
	for _, n := range []int{0, 1, writeBuffer - 9, writeBuffer - 8, writeBuffer - 1, writeBuffer, writeBuffer + 1, 2*writeBuffer + 7} {
		for _, before := range []int{0, 1, writeBuffer - 1, writeBuffer} {
			text := long[:n]
			want := long[:before] + text + text + "~{" + lenString(n) + "}\r\n" + text + "{" + lenString(n) + "}\r\n" + text + `"` + text + `"` + "\r\n"
			got := written(t, false, func(w *Writer) {
				w.Raw(long[:before])
				w.Raw(text)
				w.Bytes([]byte(text))
				w.Literal8(int64(n), strings.NewReader(text))
				w.LiteralBytes([]byte(text))
				w.String(text)
				w.CRLF()
			})
			if got != want {
				t.Errorf("%d bytes after %d: %d bytes were written, want %d", n, before, len(got), len(want))
			}
		}
	}
}

func lenString(n int) string {
	var b strings.Builder
	w := NewWriter(&b)
	w.Number(uint64(n))
	_ = w.Flush()
	return b.String()
}

func TestWriterBuffers(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Raw("a")
	if b.Len() != 0 || w.Buffered() != 1 {
		t.Errorf("%d bytes were written, %d are buffered", b.Len(), w.Buffered())
	}
	if err := w.Flush(); err != nil || w.buf != nil || b.String() != "a" {
		t.Errorf("%v, buffer is held: %v, wrote %q", err, w.buf != nil, b.String())
	}
	if err := w.Flush(); err != nil || b.String() != "a" {
		t.Errorf("%v, wrote %q", err, b.String())
	}
}

// broken fails after some bytes.
type broken struct{ left int }

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	b.left -= len(p)
	if b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriterErrors(t *testing.T) {
	w := NewWriter(&broken{left: 100})
	for range 10 {
		w.Raw(strings.Repeat("x", writeBuffer))
		w.Bytes(make([]byte, 2*writeBuffer))
		w.Literal(10*writeBuffer, neverEnding{})
	}
	if err := w.Err(); err != errBroken {
		t.Errorf("got %v", err)
	}
	if err := w.Flush(); err != errBroken {
		t.Errorf("got %v", err)
	}
	var b strings.Builder
	w.Reset(&b)
	w.Raw("ok")
	if err := w.Flush(); err != nil || b.String() != "ok" {
		t.Errorf("after Reset: %v, %q", err, b.String())
	}
	w.Literal(5, strings.NewReader("abc"))
	if err := w.Flush(); err != io.ErrUnexpectedEOF {
		t.Errorf("short literal: %v", err)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// FuzzStrings writes strings and reads them again.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "a", `a"b\`, "a\r\nb", "é", "\xe9", "NIL", "inbox/x", "A&B", "a]b", "*"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, utf8 bool) {
		if strings.IndexByte(s, 0) >= 0 || len(s) > 10000 {
			return
		}
		line := written(t, utf8, func(w *Writer) {
			w.Raw("a ")
			w.String(s)
			w.SP()
			w.AString(s)
			w.SP()
			w.NString(s, true)
			w.CRLF()
		})
		c := clients(line, Limits{})[0]
		c.UTF8 = utf8
		begin(t, c.Reader)
		first, err1 := c.String()
		_ = c.SP()
		second, err2 := c.AString()
		_ = c.SP()
		third, _, err3 := c.NString()
		if err := errors.Join(err1, err2, err3, c.CRLF()); err != nil || first != s || second != s || third != s {
			t.Errorf("%q is written as %q, read as %q, %q, %q, %v", s, line, first, second, third, err)
		}
	})
}

// FuzzReader takes tokens of all kinds from anything, and then the next command.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"a b c\r\n", "a \"x\\\"y\" {3+}\r\nabc NIL (a (b c) d) 17 1:3,* $\r\nb c\r\n", "a {3}\r\nabc\r\n", "a ~{3+}\r\na\x00b\r\n",
		"a \" 1-Feb-2026 12:30:00 +0000\" 1-Feb-2026\r\n", "\r\n", "a {99999+}\r\n", "a {0+}\r\n{0+}\r\n\r\n", "a &AOk-/x\n",
	} {
		f.Add([]byte("asnlkmtdSUzZ68"), []byte(s))
	}
	limits := Limits{Line: 1000, Literal: 100, Literals: 200, Depth: 4, Items: 20, Discard: 2000}
	f.Fuzz(func(t *testing.T, tokens, input []byte) {
		for _, c := range clients(string(input), limits) {
			var whole []string
			for range 10 {
				tag, err := c.Tag()
				whole = append(whole, tag)
				if err != nil && !isSyntax(err) {
					break
				}
				for _, kind := range tokens {
					if err := takeToken(c.Reader, kind); err != nil && !isSyntax(err) {
						break
					}
					c.Accept(' ')
				}
				if cap(c.buf) > 4*limits.Line+readBuffer {
					t.Fatalf("buffer of %d bytes", cap(c.buf))
				}
			}
			if slices.Contains(whole, "+") {
				t.Errorf("tags are %q", whole)
			}
		}
	})
}

func isSyntax(err error) bool {
	syntax := new(SyntaxError)
	return errors.As(err, &syntax) || errors.Is(err, ErrTooBig)
}

func takeToken(r *Reader, kind byte) (err error) {
	switch kind {
	case 'a':
		_, err = r.AString()
	case 's':
		_, err = r.String()
	case 'n':
		_, _, err = r.NString()
	case '8':
		_, _, err = r.NString8()
	case 'l':
		err = r.List(func() error { return takeToken(r, 'l') })
	case 'k':
		r.Keyword()
	case 'm':
		_, err = r.Mailbox()
	case 't':
		_, err = r.DateTime()
	case 'd':
		_, err = r.Date()
	case 'S':
		_, err = r.NumSet(false)
	case 'U':
		_, err = r.NumSet(true)
	case 'z':
		_, err = r.NZNumber()
	case '6':
		_, err = r.Number64()
	case 'Z':
		var l *Literal
		if l, err = r.Literal(); err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(l, 1000))
		}
	case 'c':
		err = r.CRLF()
	}
	return err
}
