package smtp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// text is a lineReader of what is left of it.
type text struct{ left []byte }

func (t *text) ReadLine() ([]byte, error) {
	line, rest, found := bytes.Cut(t.left, []byte("\n"))
	if !found {
		return nil, io.EOF
	}
	t.left = rest
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func TestReadReply(t *testing.T) {
	for name, test := range map[string]struct {
		sent string
		want reply
		ok   bool
	}{
		"plain":              {"250 Ok\r\n", reply{250, "", "Ok"}, true},
		"only a code":        {"250\r\n", reply{250, "", ""}, true},
		"lines":              {"250-mx\r\n250-SIZE 5\r\n250 HELP\r\n", reply{250, "", "mx\nSIZE 5\nHELP"}, true},
		"enhanced":           {"454 4.7.0 later\r\n", reply{454, "4.7.0", "later"}, true},
		"enhanced lines":     {"550-5.1.1 no\r\n550 5.1.1 such user\r\n", reply{550, "5.1.1", "no\nsuch user"}, true},
		"another class":      {"550 4.1.1 no\r\n", reply{550, "", "4.1.1 no"}, true},
		"a version":          {"550 5.1 or later\r\n", reply{550, "", "5.1 or later"}, true},
		"a long number":      {"550 5.1.1000 no\r\n", reply{550, "", "5.1.1000 no"}, true},
		"only enhanced":      {"250 2.0.0\r\n", reply{250, "2.0.0", ""}, true},
		"not a digit":        {"25x Ok\r\n", reply{}, false},
		"code out of range":  {"150 Ok\r\n", reply{}, false},
		"no separator":       {"250Ok\r\n", reply{}, false},
		"empty":              {"\r\n", reply{}, false},
		"two codes":          {"250-a\r\n251 b\r\n", reply{}, false},
		"too many lines":     {strings.Repeat("250-a\r\n", 200), reply{}, false},
		"most lines":         {strings.Repeat("250-\r\n", 127) + "250 \r\n", reply{250, "", strings.Repeat("\n", 127)}, true},
		"another later code": {"550-5.1.1 no\r\n550 5.7.1 user\r\n", reply{550, "5.1.1", "no\n5.7.1 user"}, true},
	} {
		got, err := readReply(&text{[]byte(test.sent)}, true)
		var protocol *ProtocolError
		if (err == nil) != test.ok || err != nil && !errors.As(err, &protocol) {
			t.Errorf("%s: %v", name, err)
		} else if test.ok && got != test.want {
			t.Errorf("%s: found %+v; accepted is %+v", name, got, test.want)
		}
	}
	if _, err := readReply(&text{[]byte("250-a\r\n")}, true); err != io.EOF {
		t.Errorf("cut: found %v", err)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{"250 Ok\r\n", "550-5.1.1 no\r\n550 5.1.1 user\r\n", "250-\r\n250\r\n", "\r\n", "354 \n354", "250-a\r\n251 b\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kept, err := readReply(&text{data}, true)
		brief, errBrief := readReply(&text{data}, false)
		if (err == nil) != (errBrief == nil) || kept.code != brief.code {
			t.Fatalf("keeping the text: %+v, %v; not keeping it: %+v, %v", kept, err, brief, errBrief)
		}
		if err != nil {
			return
		}
		if kept.code < 200 || kept.code > 599 || len(kept.text) > maxReplyText+len(data) {
			t.Fatalf("found %+v", kept)
		}
		if kept.enhanced != "" && (len(kept.enhanced) > 9 || int(kept.enhanced[0]-'0') != kept.code/100) {
			t.Fatalf("enhanced code %q with %d", kept.enhanced, kept.code)
		}
		if kept.code >= 400 && kept != brief {
			t.Fatalf("a refusal lost its text: %+v", brief)
		}
	})
}

// unstuff is what a server does with the lines of a message (RFC 5321, 4.5.2).
func unstuff(sent []byte) (message []byte, ok bool) {
	for {
		line, rest, found := bytes.Cut(sent, []byte("\r\n"))
		switch {
		case !found:
			return nil, false
		case string(line) == ".":
			return message, len(rest) == 0
		}
		message = append(message, bytes.TrimPrefix(line, []byte("."))...)
		message = append(message, "\r\n"...)
		sent = rest
	}
}

// Any message that inspect accepts arrives unchanged, save for a missing last CRLF.
func FuzzDots(f *testing.F) {
	for _, seed := range []string{"", ".", "..\r\n", "a\r\n.\r\nb", "\r\n.\r\n", "a\r\n.b\r\n", "a\n.\n", "\r.\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		s, err := inspect(message)
		if err != nil {
			return
		}
		sent := message
		if s.dots > 0 {
			sent = stuff(nil, message)
		}
		if len(sent) != len(message)+s.dots {
			t.Fatalf("%d dots, %d octets became %d", s.dots, len(message), len(sent))
		}
		end, want := finalDot, message
		if !s.ended {
			end, want = endAndDot, append(bytes.Clone(message), "\r\n"...)
		}
		got, ok := unstuff(append(bytes.Clone(sent), end...))
		if !ok || !bytes.Equal(got, want) {
			t.Fatalf("found %q, %v; accepted is %q", got, ok, want)
		}
	})
}

func TestEightBit(t *testing.T) {
	for length := range 80 {
		message := bytes.Repeat([]byte{'x'}, length)
		if eightBit(message) {
			t.Errorf("%d octets of ASCII", length)
		}
		for i := range length {
			message[i] = 0x80
			if !eightBit(message) {
				t.Errorf("octet %d of %d", i, length)
			}
			message[i] = 'x'
		}
	}
}
