package smtp

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/line"
	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
)

// script is a connection whose peer says one thing and listens.
type script struct {
	net.Conn
	io.Reader
	said bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.said.Write(p) }
func (s *script) Close() error                { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

func talk(role Role, input io.Reader) (*Server, string) {
	s := &Server{Store: &mailbox.Store{Keep: true}, Commands: Commands()}
	c := &script{Reader: input}
	s.Serve(c, role)
	return s, c.said.String()
}

var reply = regexp.MustCompile(`^[2345][0-9][0-9][ -].*$`)

func FuzzSession(f *testing.F) {
	f.Add("EHLO x\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n", uint8(0))
	f.Add("EHLO x\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<>\r\nRCPT TO:<\"a b\"@d>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n", uint8(1))
	f.Add("LHLO x\r\nMAIL FROM:<@r,@s:a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n\r\n.\r\nRSET\r\nVRFY x\r\n", uint8(2))
	f.Fuzz(func(t *testing.T, input string, role uint8) {
		_, said := talk(Role(role%3), strings.NewReader(input))
		_, slowly := talk(Role(role%3), iotest.OneByteReader(strings.NewReader(input)))
		if said != slowly {
			t.Errorf("answers depend on how the bytes come:\n%q\n%q", said, slowly)
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(said, "\r\n"), "\r\n") {
			if !reply.MatchString(l) {
				t.Errorf("not a reply: %q", l)
			}
		}
	})
}

// The reader of DATA agrees with the definition: up to the first CRLF "." CRLF, one dot removed at the start of lines.
func TestDots(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var b strings.Builder
		for range random.IntN(30) {
			b.WriteString([]string{"\r", "\n", ".", "\r\n", "\r\n.", "\r\n.\r\n", "x"}[random.IntN(7)])
		}
		sent := b.String() + "\r\n.\r\nNOOP\r\n"
		text, rest, _ := strings.Cut("\r\n"+sent, "\r\n.\r\n")
		want := strings.TrimPrefix(strings.ReplaceAll(text+"\r\n", "\r\n.", "\r\n"), "\r\n")
		for _, r := range []io.Reader{strings.NewReader(sent), iotest.OneByteReader(strings.NewReader(sent))} {
			var got []byte
			c := line.New(&script{Reader: r}, nil)
			if err := readDots(c, func(p []byte) { got = append(got, p...) }); err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Fatalf("%q became %q, %q expected", sent, got, want)
			}
			var next []byte
			for p, err := c.Peek(); err == nil; p, err = c.Peek() {
				next = append(next, p...)
				c.Skip(len(p))
			}
			if string(next) != rest {
				t.Fatalf("%q goes on with %q, %q expected", sent, next, rest)
			}
		}
	}
}

func TestPath(t *testing.T) {
	for arguments, want := range map[string]string{
		"TO:<a@b.test>":                 "a@b.test []",
		"to: <a@b.test> X=1  Y":         "a@b.test [X=1 Y]",
		"TO:<>":                         " []",
		"TO:<@r.test,@s.test:a@b.test>": "a@b.test []",
		`TO:<"a > b"@b.test>`:           `"a > b"@b.test []`,
		`TO:<"a\"@x"@b.test>`:           `"a\"@x"@b.test []`,
		"TO:<Postmaster>":               "Postmaster []",
		"TO:<a>":                        "refused",
		"TO:<a@>":                       "refused",
		"TO:<@b>":                       "refused",
		"TO:<a b@c>":                    "refused",
		"TO:<a@b":                       "refused",
		"TO:a@b":                        "refused",
		"TO:<a@b>x":                     "refused",
		"FROM:<a@b>":                    "refused",
		"TO:<a\x00@b>":                  "refused",
		"TO:<" + strings.Repeat("a", 600) + "@b>": "refused",
	} {
		got := "refused"
		if address, parameters, ok := parsePath(arguments, "TO:"); ok {
			got = fmt.Sprint(address, " ", parameters)
		}
		if got != want {
			t.Errorf("%q: %s; %s expected", arguments, got, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add("FROM:<a@b> SIZE=1")
	f.Add(`FROM:<"\"@x"@b>`)
	f.Fuzz(func(t *testing.T, arguments string) {
		address, parameters, ok := parsePath(arguments, "FROM:")
		if !ok {
			return
		}
		again, _, ok := parsePath("FROM:<"+address+"> "+strings.Join(parameters, " "), "FROM:")
		if !ok || again != address {
			t.Errorf("%q gives %q, which gives %q, %v", arguments, address, again, ok)
		}
	})
}

// A session that errs and errs is ended; a line without end, too.
func TestBounds(t *testing.T) {
	for name, test := range map[string]struct{ input, last string }{
		"errors":     {strings.Repeat("XYZZY\r\n", 200), "421 4.7.0 too many errors"},
		"long line":  {"NOOP " + strings.Repeat("x", 100_000), "500 5.5.2 line too long"},
		"big chunk":  {"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 99999999999 LAST\r\n", "501 5.5.4 chunk not understood"},
		"recipients": {"EHLO x\r\nMAIL FROM:<a@b>\r\n" + strings.Repeat("RCPT TO:<a@b>\r\n", 1001), "452 4.5.3 too many recipients"},
	} {
		_, said := talk(Exchanger, strings.NewReader(test.input))
		if !strings.HasSuffix(said, test.last+"\r\n") {
			t.Errorf("%s: %q", name, said[max(0, len(said)-100):])
		}
	}
}

func TestChunks(t *testing.T) {
	s, said := talk(Exchanger, strings.NewReader("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 4\r\nA: bDATA\r\nBDAT 6 LAST\r\n\r\n\r\n.x\r\n"))
	account, err := s.Store.Account("a@b")
	if err != nil {
		t.Fatal(err)
	}
	if n := account.Mailbox("INBOX").Status(); n.Messages != 1 || n.Size != 10 {
		t.Errorf("%+v after\n%s", n, said)
	}
}
