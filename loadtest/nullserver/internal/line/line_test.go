package line

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

type script struct {
	net.Conn
	io.Reader
	said   bytes.Buffer
	closed bool
}

func (s *script) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.said.Write(p) }
func (s *script) Close() error                { s.closed = true; return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

// Lines and bulk of every length come out as they went in, whatever pieces they come in.
func TestRead(t *testing.T) {
	var input strings.Builder
	lengths := []int{0, 1, smallBuffer - 2, smallBuffer - 1, smallBuffer, smallBuffer + 1, 3, 40_000, 5, 65_534, 0, 100_000, 7}
	for i, n := range lengths {
		input.WriteString(strings.Repeat(string(rune('a'+i)), n))
		if n <= MaxLine {
			input.WriteString("\r\n")
		}
	}
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(input.String()),
		"half by half": iotest.HalfReader(strings.NewReader(input.String())),
		"byte by byte": iotest.OneByteReader(strings.NewReader(input.String())),
	} {
		c := New(&script{Reader: r}, nil)
		for i, n := range lengths {
			var got []byte
			var err error
			if n <= MaxLine {
				got, err = c.ReadLine()
			} else {
				err = c.Copy(int64(n), func(p []byte) { got = append(got, p...) })
			}
			if err != nil || string(got) != strings.Repeat(string(rune('a'+i)), n) {
				t.Fatalf("%s: line %d: %d bytes, %v; %d expected", name, i, len(got), err, n)
			}
		}
		if c.Buffered() != 0 {
			t.Errorf("%s: %d bytes left", name, c.Buffered())
		}
		if _, err := c.ReadLine(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v at the end", name, err)
		}
		c.Close()
	}
}

func TestTooLong(t *testing.T) {
	c := New(&script{Reader: strings.NewReader(strings.Repeat("x", MaxLine+1))}, nil)
	if _, err := c.ReadLine(); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
}

// Replies leave together before a read that waits, after the hold; what is long leaves before.
func TestWrite(t *testing.T) {
	held := 0
	s := &script{Reader: strings.NewReader("a\r\nb\r\n")}
	c := New(s, func() { held++ })
	for _, line := range []string{"a", "b"} {
		got, err := c.ReadLine()
		if err != nil || string(got) != line {
			t.Fatal(string(got), err)
		}
		c.Out = append(c.Out, strings.ToUpper(line)...)
	}
	if s.said.Len() != 0 {
		t.Errorf("%q before it had to", s.said.String())
	}
	if _, err := c.ReadLine(); err == nil || s.said.String() != "AB" || held != 1 {
		t.Errorf("%q, %v, held %d times", s.said.String(), err, held)
	}
	c.Out = append(c.Out, make([]byte, FlushAt)...)
	if err := c.FlushLong(); err != nil || len(c.Out) != 0 || s.said.Len() != 2+FlushAt {
		t.Errorf("%v, %d pending, %d written", err, len(c.Out), s.said.Len())
	}
	c.Close()
	if !s.closed {
		t.Error("not closed")
	}
}
