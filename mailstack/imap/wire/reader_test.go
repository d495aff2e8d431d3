package wire

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-imap/v2"
)

// client is what a client sends, whole and byte by byte. asked counts continuation requests.
type client struct {
	*Reader
	asked int
}

func clients(input string, limits Limits) []*client {
	var list []*client
	for _, src := range []io.Reader{strings.NewReader(input), iotest.OneByteReader(strings.NewReader(input))} {
		c := new(client)
		c.Reader = NewReader(src, limits, func(string) error {
			c.asked++
			return nil
		})
		list = append(list, c)
	}
	return list
}

// begin reads a tag and the space after it.
func begin(t *testing.T, r *Reader) {
	t.Helper()
	if tag, err := r.Tag(); err != nil || tag != "a" {
		t.Fatalf("tag %q, %v", tag, err)
	}
	if err := r.SP(); err != nil {
		t.Fatal(err)
	}
}

func TestTokens(t *testing.T) {
	atom := func(r *Reader) (any, error) { return r.Atom() }
	astring := func(r *Reader) (any, error) { return r.AString() }
	str := func(r *Reader) (any, error) { return r.String() }
	nstring := func(r *Reader) (any, error) {
		s, ok, err := r.NString()
		return fmt.Sprintf("%s/%v", s, ok), err
	}
	nstring8 := func(r *Reader) (any, error) {
		s, ok, err := r.NString8()
		return fmt.Sprintf("%s/%v", s, ok), err
	}
	keyword := func(r *Reader) (any, error) { return string(r.Keyword()), nil }
	number := func(r *Reader) (any, error) { return r.Number() }
	nz := func(r *Reader) (any, error) { return r.NZNumber() }
	number64 := func(r *Reader) (any, error) { return r.Number64() }
	list := func(r *Reader) (any, error) {
		var items []string
		err := r.List(func() error {
			s, err := r.AString()
			items = append(items, s)
			return err
		})
		return strings.Join(items, "|"), err
	}
	for _, test := range []struct {
		name  string
		input string
		token func(*Reader) (any, error)
		want  any // nil: a SyntaxError
	}{
		{"atom", "NOOP", atom, "NOOP"},
		{"atom ends at a parenthesis", "ab", atom, "ab"},
		{"no atom", "(", atom, nil},
		{"atom is not quoted", `"a"`, atom, nil},
		{"atom of 8 bits", "é", atom, nil},
		{"astring atom with bracket", "a]b", astring, "a]b"},
		{"astring quoted", `"a b"`, astring, "a b"},
		{"astring literal", "{3}\r\na\nb", astring, "a\nb"},
		{"quoted escapes", `"a\"b\\c"`, str, `a"b\c`},
		{"quoted empty", `""`, str, ""},
		{"quoted UTF-8", `"é"`, str, "é"},
		{"quoted not UTF-8", "\"\xe9\"", str, nil},
		{"quoted unknown escape", `"a\b"`, str, nil},
		{"quoted ends in backslash", `"a\`, str, nil},
		{"quoted not closed", `"a`, str, nil},
		{"quoted NUL", "\"a\x00b\"", str, nil},
		{"quoted CR", "\"a\rb\"", str, nil},
		{"string is no atom", "a", str, nil},
		{"literal", "{5}\r\nhello", str, "hello"},
		{"literal that does not wait", "{5+}\r\nhello", str, "hello"},
		{"literal empty", "{0}\r\n", str, ""},
		{"literal holds a line", "{9+}\r\na b\r\nc d\n", str, "a b\r\nc d\n"},
		{"literal NUL", "{3+}\r\na\x00b", str, nil},
		{"literal8 is no string", "~{3+}\r\nabc", str, nil},
		{"literal not at the end", "{5}hello", str, nil},
		{"literal without number", "{}\r\n", str, nil},
		{"literal with plus alone", "{+}\r\n", str, nil},
		{"literal negative", "{-1}\r\n", str, nil},
		{"literal not closed", "{5\r\nhello", str, nil},
		{"literal of too many digits", "{99999999999999999999}\r\n", str, nil},
		{"nstring NIL", "nil", nstring, "/false"},
		{"nstring quoted NIL", `"NIL"`, nstring, "NIL/true"},
		{"nstring longer atom", "NILS", nstring, nil},
		{"nstring8", "~{3+}\r\na\x00b", nstring8, "a\x00b/true"},
		{"nstring8 string", `"a"`, nstring8, "a/true"},
		{"nstring8 NIL", "NIL", nstring8, "/false"},
		{"keyword", "body.peek", keyword, "BODY.PEEK"},
		{"no keyword", "", keyword, ""},
		{"number", "4294967295", number, uint32(4294967295)},
		{"number zero", "0", number, uint32(0)},
		{"number too large", "4294967296", number, nil},
		{"number negative", "-1", number, nil},
		{"no number", "", number, nil},
		{"zero is refused", "0", nz, nil},
		{"63 bits", "9223372036854775807", number64, uint64(9223372036854775807)},
		{"64 bits", "9223372036854775808", number64, nil},
		{"20 digits", "18446744073709551616", number64, nil},
		{"list", "(a \"b\" {1+}\r\nc)", list, "a|b|c"},
		{"list of one", "(a)", list, "a"},
		{"empty list", "()", list, ""},
		{"list not closed", "(a", list, nil},
		{"list with two spaces", "(a  b)", list, nil},
		{"list ends in a space", "(a )", list, nil},
		{"list begins with a space", "( a)", list, nil},
		{"no list", "a", list, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range clients("a "+test.input+"\r\nb x\r\n", Limits{}) {
				begin(t, c.Reader)
				got, err := test.token(c.Reader)
				if err == nil {
					err = c.CRLF()
				}
				if syntax := new(SyntaxError); test.want == nil && !errors.As(err, &syntax) {
					t.Errorf("got %v, %v; want a syntax error", got, err)
				}
				if test.want != nil && (err != nil || got != test.want) {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
}

func TestContinuation(t *testing.T) {
	for _, test := range []struct {
		input string
		asked int
	}{
		{"{1}\r\na", 1},
		{"{1+}\r\na", 0},
		{"{0}\r\n", 1},
	} {
		for _, c := range clients("a "+test.input+"\r\n", Limits{}) {
			begin(t, c.Reader)
			if _, err := c.AString(); err != nil || c.asked != test.asked {
				t.Errorf("%q: asked %d times, %v", test.input, c.asked, err)
			}
		}
	}
}

func TestContinuationFails(t *testing.T) {
	broken := errors.New("connection is broken")
	r := NewReader(strings.NewReader("a {1}\r\n"), Limits{}, func(string) error { return broken })
	begin(t, r)
	if _, err := r.AString(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestNextCommand(t *testing.T) {
	for _, test := range []struct {
		name  string
		input string
		use   func(r *Reader) error // what is read of the first command
	}{
		{"all of it", "a x\r\n", func(r *Reader) error {
			if _, err := r.Atom(); err != nil {
				return err
			}
			return r.CRLF()
		}},
		{"nothing", "a x y z\r\n", nil},
		{"bare LF", "a x\n", nil},
		{"literal that does not wait", "a {3+}\r\nb x {3+}\r\nc x\r\n", nil},
		{"literal8 that does not wait", "a ~{5+}\r\nb x\r\n y\r\n", nil},
		{"literal that waits", "a {300000}\r\n", nil},
		{"literal too big", "a {300000}\r\n", func(r *Reader) error {
			if _, err := r.AString(); !errors.Is(err, ErrTooBig) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}},
		{"literal too big that does not wait", "a {70000+}\r\n" + strings.Repeat("x\r\n", 23333) + "x" + " y\r\n", func(r *Reader) error {
			if _, err := r.AString(); !errors.Is(err, ErrTooBig) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}},
		{"streamed literal not begun", "a {5}\r\n", func(r *Reader) error {
			_, err := r.Literal()
			return err
		}},
		{"streamed literal not begun that does not wait", "a {5+}\r\nb x\r\n\r\n", func(r *Reader) error {
			_, err := r.Literal()
			return err
		}},
		{"streamed literal half read", "a {5}\r\nb x\r\n {1+}\r\nx\r\n", func(r *Reader) error {
			l, err := r.Literal()
			if err != nil {
				return err
			}
			_, err = io.ReadFull(l, make([]byte, 2))
			return err
		}},
		{"streamed literal read, not closed", "a {5}\r\nb x\r\n y\r\n", func(r *Reader) error {
			l, err := r.Literal()
			if err != nil {
				return err
			}
			_, err = io.ReadAll(l)
			return err
		}},
		{"syntax error before literals", "a ( {3+}\r\nb x {3+}\r\nb x\r\n", func(r *Reader) error {
			if _, err := r.Atom(); err == nil {
				return errors.New("no error")
			}
			return nil
		}},
		{"brace in a quoted string", "a \"{5+}\"\r\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range clients(test.input+"b x\r\n", Limits{}) {
				begin(t, c.Reader)
				if test.use != nil {
					if err := test.use(c.Reader); err != nil {
						t.Fatal(err)
					}
				}
				if tag, err := c.Tag(); err != nil || tag != "b" {
					t.Errorf("tag %q, %v", tag, err)
				}
				if err := c.Discard(); err != nil {
					t.Error(err)
				}
				if _, err := c.Tag(); err != io.EOF {
					t.Errorf("got %v at the end", err)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	small := Limits{Line: 40, Literal: 10, Literals: 15, Depth: 3, Items: 5, Discard: 100}
	astrings := func(n int) func(r *Reader) error {
		return func(r *Reader) error {
			for i := range n {
				if i > 0 {
					if err := r.SP(); err != nil {
						return err
					}
				}
				if _, err := r.AString(); err != nil {
					return err
				}
			}
			return r.CRLF()
		}
	}
	var nested func(r *Reader) error
	nested = func(r *Reader) error {
		return r.List(func() error { return nested(r) })
	}
	seqset := func(r *Reader) error {
		_, err := r.SeqSet()
		return err
	}
	syntax := errors.New("any syntax error")
	for _, test := range []struct {
		name  string
		input string
		use   func(r *Reader) error
		want  error // nil: none; syntax: any SyntaxError
	}{
		{"line", strings.Repeat("x", 36), astrings(1), nil},
		{"longer line", strings.Repeat("x", 37), astrings(1), ErrTooLong},
		{"lines together", strings.Repeat("{1+}\r\nx ", 5) + "x", astrings(6), nil},
		{"longer lines together", strings.Repeat("{1+}\r\nx ", 5) + "xy", astrings(6), ErrTooLong},
		{"literal", "{10+}\r\n0123456789", astrings(1), nil},
		{"longer literal", "{11+}\r\n01234567890", astrings(1), ErrTooBig},
		{"literals together", "{10+}\r\n0123456789 {5+}\r\n01234", astrings(2), nil},
		{"longer literals together", "{10+}\r\n0123456789 {6+}\r\n012345", astrings(2), ErrTooBig},
		{"depth", "((()))", nested, nil},
		{"more depth", "(((())))", nested, nil}, // an empty list is no level
		{"too much depth", "((((()))))", nested, syntax},
		{"items", "1,3,5,7,9", seqset, nil},
		{"more items", "1,3,5,7,9,11", seqset, syntax},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range clients("a "+test.input+"\r\n", small) {
				_, err := c.Tag()
				if err == nil {
					if err = c.SP(); err == nil {
						err = test.use(c.Reader)
					}
				}
				if found := new(SyntaxError); errors.As(err, &found) {
					err = syntax
				}
				if !errors.Is(err, test.want) {
					t.Errorf("got %v; want %v", err, test.want)
				}
			}
		})
	}
}

func TestDiscardIsBounded(t *testing.T) {
	for _, input := range []string{
		"a {101+}\r\n" + strings.Repeat("x", 101) + "\r\n",
		"a " + strings.Repeat("{1+}\r\nx", 200) + "\r\n",
		"a " + strings.Repeat("{0+}\r\n", 200) + "\r\n",
	} {
		for _, c := range clients(input, Limits{Line: 40, Discard: 100}) {
			begin(t, c.Reader)
			if err := c.Discard(); !errors.Is(err, ErrTooLong) {
				t.Errorf("%.20q: got %v", input, err)
			}
		}
	}
}

func TestEndOfInput(t *testing.T) {
	for _, test := range []struct {
		input string
		want  error
	}{
		{"", io.EOF},
		{"a", io.ErrUnexpectedEOF},
		{"a b", io.ErrUnexpectedEOF},
		{"a {3+}\r\nb", io.ErrUnexpectedEOF},
		{"a {3+}\r\n", io.ErrUnexpectedEOF},
		{"a {3+}\r\nbcd", io.ErrUnexpectedEOF},
	} {
		for _, c := range clients(test.input, Limits{}) {
			_, err := c.Tag()
			if err == nil {
				if err = c.SP(); err == nil {
					_, err = c.AString()
				}
			}
			if err != test.want {
				t.Errorf("%q: got %v", test.input, err)
			}
		}
	}
}

// stalled gives its parts, and an error in between.
type stalled struct {
	parts []string
	err   error
}

func (s *stalled) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, s.err
	}
	n := copy(p, s.parts[0])
	s.parts = s.parts[1:]
	return n, nil
}

func TestLineGoesOnAfterAnError(t *testing.T) {
	timeout := errors.New("timeout")
	src := &stalled{[]string{"a NO"}, timeout}
	r := NewReader(src, Limits{}, nil)
	if _, err := r.Tag(); err != timeout {
		t.Fatalf("got %v", err)
	}
	if r.Buffered() != len("a NO") {
		t.Errorf("%d bytes are buffered", r.Buffered())
	}
	src.parts = []string{"OP\r\n"}
	begin(t, r)
	if name, err := r.Atom(); err != nil || name != "NOOP" {
		t.Errorf("got %q, %v", name, err)
	}
}

func TestNoProgress(t *testing.T) {
	r := NewReader(&stalled{nil, nil}, Limits{}, nil)
	if _, err := r.Tag(); err != io.ErrNoProgress {
		t.Errorf("got %v", err)
	}
}

func TestRelease(t *testing.T) {
	r := NewReader(&stalled{[]string{"a x\r\nb y\r\n", "c z\r\n"}, io.EOF}, Limits{}, nil)
	for i, held := range []bool{true, false, false} {
		if _, err := r.Tag(); err != nil {
			t.Fatal(err)
		}
		r.Release()
		if r.buf == nil {
			t.Fatal("a buffer was given back within a command")
		}
		_ = r.SP()
		_, _ = r.Atom()
		if err := r.CRLF(); err != nil {
			t.Fatal(err)
		}
		r.Release()
		if (r.buf != nil) != held {
			t.Errorf("command %d: held %v", i, r.buf != nil)
		}
	}
}

func TestLongLineGivesItsBufferBack(t *testing.T) {
	for _, c := range clients("a "+strings.Repeat("x", 30<<10)+"\r\n", Limits{}) {
		begin(t, c.Reader)
		if s, err := c.Atom(); err != nil || len(s) != 30<<10 {
			t.Errorf("%d bytes, %v", len(s), err)
		}
		if err := c.CRLF(); err != nil {
			t.Error(err)
		}
		if c.Release(); c.buf != nil {
			t.Error("a buffer is held")
		}
	}
}

func TestTakeAndReset(t *testing.T) {
	r := NewReader(strings.NewReader("a x\r\n\x01\x02\x03"), Limits{}, nil)
	begin(t, r)
	_, _ = r.Atom()
	if err := r.CRLF(); err != nil {
		t.Fatal(err)
	}
	if b := r.Take(); string(b) != "\x01\x02\x03" || r.Buffered() != 0 {
		t.Errorf("took %q, %d bytes are left", b, r.Buffered())
	}
	r = NewReader(strings.NewReader("a x\r\nb injected\r\n"), Limits{}, nil)
	begin(t, r)
	r.Reset(strings.NewReader("c x\r\n"))
	if tag, err := r.Tag(); err != nil || tag != "c" {
		t.Errorf("got %q, %v", tag, err)
	}
}

func TestStreamedLiteral(t *testing.T) {
	body := strings.Repeat("0123456789", 2000)
	for _, c := range clients(fmt.Sprintf("a {%d}\r\n%s ~{3+}\r\na\x00b\r\n", len(body), body), Limits{}) {
		begin(t, c.Reader)
		l, err := c.Literal()
		if err != nil || l.Size() != int64(len(body)) || !l.Sync() || l.Binary() || c.asked != 0 {
			t.Fatalf("%+v, %v, asked %d times", l, err, c.asked)
		}
		if b, err := io.ReadAll(l); err != nil || string(b) != body || c.asked != 1 {
			t.Errorf("%d bytes, %v, asked %d times", len(b), err, c.asked)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error("second Close:", err)
		}
		if err := c.SP(); err != nil {
			t.Fatal(err)
		}
		if l, err = c.Literal(); err != nil || l.Size() != 3 || l.Sync() || !l.Binary() {
			t.Fatalf("%+v, %v", l, err)
		}
		if err := l.Close(); err != nil { // without reading it
			t.Error(err)
		}
		if err := c.CRLF(); err != nil {
			t.Error(err)
		}
	}
}

func TestSets(t *testing.T) {
	for _, test := range []struct{ input, want string }{
		{"1", "1"},
		{"*", "*"},
		{"1:*", "1:*"},
		{"*:4", "4:*"},
		{"4:2", "2:4"},
		{"*:*", "*"},
		{"2,4:7,9,12:*", "2,4:7,9,12:*"},
		{"9,1,5", "1,5,9"},
		{"1:3,4,2:6", "1:6"},
		{"1:10,3:4", "1:10"},
		{"5:*,*", "5:*"},
		{"*,5", "5,*"},
		{"1:*,3,7:9", "1:*"},
		{"4294967295,*", "4294967295,*"},
		{"4294967294:4294967295,1", "1,4294967294:4294967295"},
		{"0", ""},
		{"1:0", ""},
		{"1,", ""},
		{"1:", ""},
		{":1", ""},
		{"1::2", ""},
		{"4294967296", ""},
		{"a", ""},
		{"", ""},
	} {
		for _, c := range clients("a "+test.input+"\r\n", Limits{}) {
			begin(t, c.Reader)
			set, err := c.UIDSet()
			if err == nil {
				err = c.CRLF()
			}
			if (err == nil) != (test.want != "") || err == nil && set.String() != test.want {
				t.Errorf("%q: got %v, %v; want %q", test.input, set, err, test.want)
			}
		}
	}
}

// TestSetsAgree compares with the library's own way of building sets.
func TestSetsAgree(t *testing.T) {
	for seed := range uint32(300) {
		var parts []string
		var want imap.SeqSet
		x := seed*2654435761 + 1
		for range seed % 12 {
			x = x*1664525 + 1013904223
			start, stop := x>>8%40, x>>16%40
			if start == 0 {
				start = 1
			}
			name := func(n uint32) string {
				if n == 0 {
					return "*"
				}
				return fmt.Sprint(n)
			}
			parts = append(parts, name(start)+":"+name(stop))
			want.AddRange(start, stop)
		}
		if len(parts) == 0 {
			continue
		}
		input := strings.Join(parts, ",")
		r := clients("a "+input+"\r\n", Limits{})[0]
		begin(t, r.Reader)
		got, err := r.SeqSet()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v; want %v", input, got, err, want)
		}
	}
}

func TestNumSet(t *testing.T) {
	for _, uid := range []bool{false, true} {
		r := clients("a $ 1:2\r\n", Limits{})[0]
		begin(t, r.Reader)
		if set, err := r.NumSet(uid); err != nil || !imap.IsSearchRes(set) {
			t.Errorf("got %v, %v", set, err)
		}
		_ = r.SP()
		set, err := r.NumSet(uid)
		if _, isUID := set.(imap.UIDSet); err != nil || isUID != uid || imap.IsSearchRes(set) {
			t.Errorf("got %v, %v", set, err)
		}
	}
}
