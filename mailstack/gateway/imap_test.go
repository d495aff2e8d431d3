package gateway

import (
	"io"
	"strings"
	"testing"
	"time"
)

// imap sends a command and reads lines up to the one that starts with want.
func (d *dialogue) imap(command, want string) {
	d.t.Helper()
	d.send("%s\r\n", command)
	for {
		l := d.line()
		if strings.HasPrefix(l, want) {
			return
		}
		if !strings.HasPrefix(l, "* ") && !strings.HasPrefix(l, "+ ") {
			d.t.Errorf("%.80q is answered %q, want %q", command, l, want)
			return
		}
	}
}

func TestIMAPBeforeLogin(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	const clear, secure = "imap", "imaps"
	for _, tc := range []struct {
		listener, send string
		want           []string
	}{
		{clear, "a CAPABILITY\r\n", []string{"* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID SASL-IR STARTTLS LOGINDISABLED", "a OK CAPABILITY completed"}},
		{secure, "a capability\r\n", []string{"* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID SASL-IR AUTH=PLAIN", "a OK CAPABILITY completed"}},
		{clear, "a NOOP\r\n", []string{"a OK NOOP completed"}},
		{clear, "a ID NIL\r\n", []string{`* ID ("name" "Messagerie")`, "a OK ID completed"}},
		{clear, "a LOGOUT\r\n", []string{"* BYE Logging out", "a OK LOGOUT completed", ""}},
		{clear, "a LOGIN afi@gouv.tg motdepasse\r\n", []string{"a NO [PRIVACYREQUIRED] Use STARTTLS first"}},
		{clear, "a AUTHENTICATE PLAIN\r\n", []string{"a NO [PRIVACYREQUIRED] Use STARTTLS first"}},
		{secure, "a STARTTLS\r\n", []string{"a BAD TLS is active already"}},
		{clear, "a STARTTLS now\r\n", []string{"a BAD STARTTLS takes no arguments"}},
		{secure, "a AUTHENTICATE CRAM-MD5\r\n", []string{"a NO [CANNOT] Mechanism not supported"}},
		{secure, "a AUTHENTICATE PLAIN\r\n*\r\n", []string{"+ ", "a BAD Authentication exchange cancelled or not understood"}},
		{secure, "a ENABLE CONDSTORE\r\n", []string{"a BAD Command unknown or not allowed before authentication"}},
		{secure, "a SELECT INBOX\r\n", []string{"a BAD Command unknown or not allowed before authentication"}},
		{secure, "\r\n", []string{"* BAD Syntax error"}},
		{secure, "a\r\n", []string{"a BAD Syntax error"}},
		{secure, "+ NOOP\r\n", []string{"* BAD Syntax error"}},
		{secure, "a LOGIN onlyuser\r\n", []string{"a BAD Syntax error"}},
		{secure, "a LOGIN u p x\r\nb NOOP\r\n", []string{"a BAD Syntax error", "b OK NOOP completed"}},
		{secure, "a LOGIN {5000+}\r\n", []string{"* BYE [TOOBIG] Command is too long", ""}},
		{secure, "a LOGIN {99999999999999999999}\r\n", []string{"* BYE [TOOBIG] Command is too long", ""}},
		{secure, "a NOOP " + strings.Repeat("x", 9000), []string{"* BYE [TOOBIG] Command is too long", ""}},
		{secure, strings.Repeat("x\r\n", 12), append(repeat("x BAD Syntax error", 11), "* BYE Too many errors", "")},
	} {
		d := w.dial(tc.listener)
		if got := d.line(); !strings.HasPrefix(got, "* OK [CAPABILITY IMAP4rev1 ") {
			t.Fatalf("greeting is %q", got)
		}
		d.send("%s", tc.send)
		for _, want := range tc.want {
			if want == "" {
				d.closed()
			} else if got := d.line(); got != want {
				t.Errorf("%s: %.60q is answered %q, want %q", tc.listener, tc.send, got, want)
				break
			}
		}
	}
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestIMAPLogin(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	for name, tc := range map[string]struct {
		send      string
		continues int // continuation requests before the answer
	}{
		"atoms":                 {"a LOGIN afi@gouv.tg motdepasse\r\n", 0},
		"quoted":                {"a login \"AFI@gouv.tg\" \"mot\\depasse\"\r\n", -1},
		"quoted, escaped":       {"a LOGIN \"afi@gouv.tg\" \"motdepasse\"\r\n", 0},
		"literals":              {"a LOGIN {11}\r\nafi@gouv.tg {10}\r\nmotdepasse\r\n", 2},
		"literals+":             {"a LOGIN {11+}\r\nafi@gouv.tg {10+}\r\nmotdepasse\r\n", 0},
		"SASL-IR":               {"a AUTHENTICATE PLAIN " + plain("afi@gouv.tg", fakePassword) + "\r\n", 0},
		"SASL":                  {"a AUTHENTICATE PLAIN\r\n" + plain("afi@gouv.tg", fakePassword) + "\r\n", 1},
		"pipelined with SELECT": {"a LOGIN afi@gouv.tg motdepasse\r\nb SELECT INBOX\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := w.dial("imaps")
			d.line()
			d.send("%s", tc.send)
			if tc.continues < 0 {
				if got := d.line(); got != "a BAD Syntax error" {
					t.Errorf("got %q", got)
				}
				return
			}
			for range tc.continues {
				if got := d.line(); !strings.HasPrefix(got, "+ ") {
					t.Fatalf("got %q, want a continuation request", got)
				}
			}
			if got := d.line(); got != "a OK [CAPABILITY IMAP4rev1 IDLE] Logged in" {
				t.Fatalf("got %q", got)
			}
			if strings.Contains(tc.send, "SELECT") {
				if got := d.line(); got != "b OK did SELECT INBOX" {
					t.Errorf("got %q", got)
				}
			}
			d.imap("c FETCH 1", "c OK did FETCH 1")
			d.send("d BIG\r\n")
			if got := d.line(); len(got) != 300000 {
				t.Errorf("%d bytes arrived", len(got))
			}
			d.line()
			d.send("e LAST") // half a line, then the end
			d.conn.(interface{ CloseWrite() error }).CloseWrite()
			if rest, err := io.ReadAll(d.r); err != nil || string(rest) != "* BYE end of input\r\n" {
				t.Errorf("the end is %q, %v", rest, err)
			}
		})
	}
}

func TestIMAPOverSTARTTLS(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.dial("imap")
	d.line()
	d.imap("a STARTTLS", "a OK")
	d.tls(w)
	d.imap("b LOGIN afi@gouv.tg motdepasse", "b OK [CAPABILITY IMAP4rev1 IDLE]")
	d.imap("c NOOP", "c OK did NOOP")
}

func TestIMAPCellUnreachable(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	d := w.dial("imaps")
	d.line()
	d.imap("a LOGIN afi@gouv.tg motdepasse", "a OK")
	a.drop(false)
	d.closed() // the session is at its end with the cell
	d = w.dial("imaps")
	d.line()
	w.until("the link is down", func() bool { return !w.cells.Linked()["a"] })
	d.imap("a LOGIN afi@gouv.tg motdepasse", "a NO [UNAVAILABLE]")
}

// TestStop ends idle connections, lets a transaction finish and leaves nothing behind.
func TestStop(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	idle, early, busy, reader, other := w.dial("smtp"), w.dial("imap"), w.dial("smtp"), w.dial("imaps"), w.dial("submissions")
	idle.smtp("", "220")
	early.line()
	other.smtp("", "220")
	busy.smtp("", "220")
	busy.smtp("EHLO x", "250")
	busy.smtp("MAIL FROM:<>", "250")
	busy.smtp("RCPT TO:<afi@gouv.tg>", "250")
	busy.smtp("DATA", "354")
	reader.line()
	reader.imap("a LOGIN afi@gouv.tg motdepasse", "a OK")
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	idle.smtp("", "421 4.3.2")
	idle.closed()
	other.smtp("", "421 4.3.2")
	if got := early.line(); got != "* BYE Server is stopping" {
		t.Errorf("before login: %q", got)
	}
	if got := reader.line(); got != "* BYE end of input" {
		t.Errorf("in a session: %q", got)
	}
	reader.closed()
	busy.smtp("x\r\n.", "250 2.6.0")
	busy.smtp("", "421 4.3.2")
	select {
	case <-stopped:
	case <-time.After(stopTime):
		t.Error("stopping took all the time there was")
	}
	if len(a.stored()) != 1 {
		t.Error("the transaction was lost")
	}
}
