package mime

import (
	"bytes"
	"strings"
	"testing"
)

func TestCRLF(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""}, {"a\r\nb", "a\r\nb"}, {"a\nb", "a\r\nb"}, {"a\rb\r", "a\r\nb\r\n"}, {"\r\r\n\n", "\r\n\r\n\r\n"}, {"\n.\n", "\r\n.\r\n"},
	} {
		if got := string(CRLF([]byte(test.in))); got != test.want {
			t.Errorf("CRLF(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestFields(t *testing.T) {
	header, body := Split([]byte("From : a\r\nSubject: one\r\n two\r\nno field\r\nX:\r\n\r\nbody\r\n\r\nmore"))
	if string(body) != "body\r\n\r\nmore" {
		t.Errorf("body %q", body)
	}
	var got []string
	for f := range Fields(header) {
		got = append(got, f.Name()+"="+f.Value())
	}
	if want := "From=a|Subject=one two|=no field|X="; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Get(header, "subject"); got != "one two" {
		t.Errorf("Get: %q", got)
	}
	filtered := Filter(header, func(f Field) bool { return f.Is("FROM") || f.Is("x") })
	if string(filtered) != "From : a\r\nX:\r\n\r\n" {
		t.Errorf("Filter: %q", filtered)
	}
	if header, body := Split([]byte("\r\nbody")); string(header) != "\r\n" || string(body) != "body" {
		t.Errorf("no header: %q %q", header, body)
	}
}

const nested = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\r\nfirst\r\n\r\n--a b \r\n" +
	"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n" +
	"--c\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\n=E9t=\r\n=E9\r\n" +
	"--c\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n ZGVm!\r\n--c--\r\n\r\n--a b\r\n" +
	"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: digested\r\n\r\ntext\r\n--d--\r\n--a b--\r\nepilogue"

func TestFindPart(t *testing.T) {
	for _, test := range []struct {
		path   []int
		header string // begins with
		body   string
		found  bool
	}{
		{nil, "Content-Type: multipart/mixed", "preamble", true},
		{[]int{1}, "\r\n", "first\r\n", true},
		{[]int{1, 1}, "", "", false},
		{[]int{1, 2}, "", "", false},
		{[]int{2}, "Content-Type: message/rfc822", "Subject: inner", true},
		{[]int{2, 1}, "Content-Type: text/plain", "=E9t=\r\n=E9", true},
		{[]int{2, 2}, "Content-Transfer-Encoding: base64", "YWJj\r\n ZGVm!", true},
		{[]int{2, 3}, "", "", false},
		{[]int{3, 1}, "\r\n", "Subject: digested", true},
		{[]int{3, 1, 1}, "Subject: digested", "text", true},
		{[]int{4}, "", "", false},
		{[]int{0}, "", "", false},
	} {
		p, ok := Find([]byte(nested), test.path)
		if ok != test.found || !strings.HasPrefix(string(p.Header), test.header) || !strings.HasPrefix(string(p.Body), test.body) {
			t.Errorf("%v: %v %q %q", test.path, ok, p.Header, p.Body)
		}
	}
}

func TestDecode(t *testing.T) {
	p, _ := Find([]byte(nested), []int{2, 1})
	if decoded, ok := p.Decoded(); !ok || string(decoded) != "\xe9t\xe9" {
		t.Errorf("quoted-printable: %q", decoded)
	}
	p, _ = Find([]byte(nested), []int{2, 2})
	if decoded, ok := p.Decoded(); !ok || string(decoded) != "abcdef" {
		t.Errorf("base64: %q", decoded)
	}
	if _, ok := Whole([]byte("Content-Transfer-Encoding: x-uuencode\r\n\r\nx")).Decoded(); ok {
		t.Error("unknown encoding decoded")
	}
	if got := DecodeHeader("=?utf-8?B?w6l0w6k=?= =?nonsense?Q?x?="); got != "été =?nonsense?Q?x?=" {
		t.Errorf("unknown charset: %q", got)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(nested))
	f.Add([]byte("a\nb\r\rc"))
	f.Add([]byte("Content-Type: multipart/x; boundary=-\r\n\r\n---\r\n-----"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		normal := CRLF(raw)
		if !bytes.Equal(CRLF(normal), normal) {
			t.Fatal("CRLF is not stable")
		}
		header, body := Split(raw)
		if !bytes.Equal(append(bytes.Clone(header), body...), raw) {
			t.Fatal("Split loses bytes")
		}
		var joined []byte
		for field := range Fields(header) {
			joined = append(joined, field.Raw...)
			_ = DecodeHeader(field.Value())
		}
		if !bytes.HasPrefix(header, joined) || len(bytes.Trim(header[len(joined):], "\r\n")) > 0 {
			t.Fatalf("Fields lose bytes: %q of %q", joined, header)
		}
		walk(t, Whole(raw), 0)
		_, _ = Find(raw, []int{1, 2, 1})
	})
}

// walk visits all parts: each lies inside its parent.
func walk(t *testing.T, p Part, depth int) {
	if depth > 20 {
		return
	}
	_, _ = p.Decoded()
	total := 0
	for child := range p.Parts() {
		total += len(child.Header) + len(child.Body)
		walk(t, child, depth+1)
	}
	if total > len(p.Body) {
		t.Fatalf("parts of %d bytes in a body of %d", total, len(p.Body))
	}
	if inner, ok := p.Embedded(); ok {
		walk(t, inner, depth+1)
	}
}
