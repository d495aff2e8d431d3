package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDataReader(t *testing.T) {
	for name, tc := range map[string]struct {
		in, want, rest string
		err            error
	}{
		"empty":             {".\r\nREST", "", "REST", nil},
		"text":              {"a\r\nb\r\n.\r\nREST", "a\r\nb\r\n", "REST", nil},
		"stuffed":           {"..\r\n...x\r\n.y\r\n.\r\n", ".\r\n..x\r\ny\r\n", "", nil},
		"bare LF":           {"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "", nil},
		"LF dot CRLF":       {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "", nil},
		"CRLF dot LF":       {"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "", nil},
		"CRLF dot CR":       {"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "", nil},
		"CRLF dot CR CR LF": {"a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", "", nil},
		"CR dot CRLF":       {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", "", nil},
		"CR CR LF dot":      {"a\r\r\n.\r\n", "a\r\r\n", "", nil},
		"no end":            {"a\r\n", "a\r\n", "", io.ErrUnexpectedEOF},
		"half an end":       {"a\r\n.\r", "a\r\n", "", io.ErrUnexpectedEOF},
		"nothing":           {"", "", "", io.ErrUnexpectedEOF},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with error": iotest.DataErrReader,
		} {
			br := bufio.NewReaderSize(wrap(strings.NewReader(tc.in)), 16)
			for _, size := range []int{1, 2, 3, 4096} {
				br.Reset(wrap(strings.NewReader(tc.in)))
				d := newDataReader(br, 0)
				var got bytes.Buffer
				_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{d}, make([]byte, size))
				if got.String() != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("%s, %s, %d: %q, %v; want %q, %v", name, how, size, got.String(), err, tc.want, tc.err)
				}
				if rest, _ := io.ReadAll(br); tc.err == nil && string(rest) != tc.rest {
					t.Errorf("%s, %s, %d: left %q, want %q", name, how, size, rest, tc.rest)
				}
			}
		}
	}
}

func TestDataReaderLimit(t *testing.T) {
	for size, want := range map[int]error{9: nil, 10: nil, 11: errTooLarge} {
		br := bufio.NewReader(strings.NewReader(strings.Repeat("x", size-2) + "\r\n.\r\nREST"))
		d := newDataReader(br, 10)
		_, err := io.ReadAll(d)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
		if err := d.drain(100); err != nil {
			t.Errorf("%d bytes: drain: %v", size, err)
		}
		if rest, _ := io.ReadAll(br); string(rest) != "REST" {
			t.Errorf("%d bytes: left %q", size, rest)
		}
	}
	d := newDataReader(bufio.NewReader(strings.NewReader(strings.Repeat("x", 1000))), 10)
	io.ReadAll(d)
	if err := d.drain(100); !errors.Is(err, errTooLarge) {
		t.Errorf("a message without end: %v", err)
	}
}

// reference is RFC 5321, 4.5.2, on a whole string.
func reference(in string) (text, rest string, whole bool) {
	text, rest, whole = "", in, false
	for {
		if strings.HasPrefix(rest, ".\r\n") {
			return text, rest[3:], true
		}
		line, after, ok := strings.Cut(rest, "\r\n")
		if !ok {
			return text + strings.TrimPrefix(rest, "."), "", false
		}
		text += strings.TrimPrefix(line, ".") + "\r\n"
		rest = after
	}
}

func FuzzDataReader(f *testing.F) {
	f.Add("a\r\n..b\r\n.\r\nQUIT\r\n", 3)
	f.Add("\r\n.\r\r\n.\r\n", 1)
	f.Add(".\r.\r\n.\n", 2)
	f.Fuzz(func(t *testing.T, in string, size int) {
		size = 1 + int(uint(size)%64)
		br := bufio.NewReaderSize(strings.NewReader(in), 16)
		var got bytes.Buffer
		_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{newDataReader(br, 0)}, make([]byte, size))
		text, rest, whole := reference(in)
		if whole != (err == nil) {
			t.Fatalf("whole is %v, error %v", whole, err)
		}
		if !whole {
			return
		}
		left, _ := io.ReadAll(br)
		if got.String() != text || string(left) != rest {
			t.Fatalf("read %q, left %q; want %q, %q", got.String(), left, text, rest)
		}
	})
}
