package gateway

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/link"
)

func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

func TestSubmissionBeforeTLS(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.dial("submission")
	d.smtp("", "220")
	if got := d.smtp("EHLO x", "250"); strings.Contains(got, "AUTH") || !strings.Contains(got, "STARTTLS") {
		t.Errorf("EHLO in clear text: %s", got)
	}
	d.smtp("AUTH PLAIN "+plain("afi@gouv.tg", fakePassword), "538 5.7.11")
	d.smtp("MAIL FROM:<afi@gouv.tg>", "530 5.7.0")
	d.smtp("VRFY afi", "530 5.7.0")
	d.smtp("NOOP", "250")
	d.smtp("STARTTLS x", "501")
	d.smtp("STARTTLS", "220")
	d.tls(w)
	d.smtp("MAIL FROM:<afi@gouv.tg>", "503 5.5.1") // no EHLO since
	if got := d.smtp("EHLO x", "250"); !strings.Contains(got, "AUTH PLAIN") {
		t.Errorf("EHLO over TLS: %s", got)
	}
	d.smtp("MAIL FROM:<afi@gouv.tg>", "530 5.7.0")
	d.smtp("STARTTLS", "503")
}

// TestStartTLSInjection sends a command along with STARTTLS, in clear text (CVE-2011-0411). It must never be answered.
func TestStartTLSInjection(t *testing.T) {
	w := newWorld(t, nil)
	w.join(newFakeCell(t, w.ca, "a", "afi@gouv.tg"))
	d := w.dial("submission")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("STARTTLS\r\nEHLO injected\r\nNOOP", "220")
	d.tls(w)
	d.smtp("MAIL FROM:<x@y.example>", "503 5.5.1")

	i := w.dial("imap")
	i.line()
	i.send("a STARTTLS\r\nb NOOP\r\n")
	if got := i.line(); !strings.HasPrefix(got, "a OK") {
		t.Fatal(got)
	}
	i.tls(w)
	i.send("c NOOP\r\n")
	if got := i.line(); got != "c OK NOOP completed" {
		t.Errorf("after the handshake came %q", got)
	}
}

func TestSubmission(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	w.join(a)
	d := w.dial("submissions")
	d.smtp("", "220")
	d.smtp("EHLO laptop", "250")
	d.smtp("AUTH LOGIN", "504 5.5.4")
	d.smtp("AUTH PLAIN *", "501")
	d.smtp("AUTH PLAIN !", "501 5.5.2")
	d.smtp("AUTH PLAIN", "334 ")
	d.smtp("*", "501 5.7.0")
	d.smtp("AUTH PLAIN", "334 ")
	d.smtp(plain("AFI@gouv.tg", fakePassword), "235 2.7.0")
	d.smtp("AUTH PLAIN "+plain("afi@gouv.tg", fakePassword), "503")
	d.smtp("MAIL FROM:<kofi@a.gouv.tg>", "550 5.7.1 sender address not owned by the account")
	d.smtp("MAIL FROM:<afi@gouv.tg> AUTH=<> BODY=8BITMIME", "250")
	d.smtp("RSET", "250")
	d.smtp("MAIL FROM:<afi@gouv.tg>", "250")
	d.smtp("RCPT TO:<anybody@example.com>", "250")
	d.smtp("DATA", "354")
	d.smtp("Subject: one\r\n.", "250")
	d.smtp("MAIL FROM:<afi@gouv.tg>", "250")
	d.smtp("RCPT TO:<kofi@a.gouv.tg>", "250")
	d.smtp("DATA", "354")
	d.smtp("Subject: two\r\n.", "250")
	msgs := a.stored()
	if len(msgs) != 2 || msgs[0].protocol != link.ProtocolSubmission || msgs[1].body != "Subject: two\r\n" {
		t.Errorf("stored %+v", msgs)
	}
	a.mu.Lock()
	h := a.headers[len(a.headers)-1]
	a.mu.Unlock()
	if h.User != "afi@gouv.tg" || h.TLSVersion != "1.3" || h.RemoteAddr != d.conn.LocalAddr().String() {
		t.Errorf("cell was told %+v", h)
	}
	// The cell goes away: the connection ends, the agent's client comes again.
	a.drop(true)
	d.smtp("MAIL FROM:<afi@gouv.tg>", "421 4.4.2")
	d.closed()
}

// TestLoginFailures shows that what is wrong about a login cannot be seen from the answer.
func TestLoginFailures(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	w.join(a)
	users := map[string]string{
		"wrong password":      "afi@gouv.tg",
		"unknown own domain":  "nobody@a.gouv.tg",
		"unknown shared":      "nobody@gouv.tg",
		"unknown domain":      "afi@example.com",
		"not an address":      "afi",
		"control characters":  "afi\r\n@gouv.tg",
		"very long":           strings.Repeat("x", 3000),
		"password of another": "kofi@a.gouv.tg",
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := w.dial("submissions")
			d.smtp("", "220")
			d.smtp("EHLO x", "250")
			if got := d.smtp("AUTH PLAIN "+plain(user, "wrong"), "535"); got != "535 5.7.8 Authentication failed" {
				t.Errorf("SMTP says %q", got)
			}
			i := w.dial("imaps")
			i.line()
			i.send("a AUTHENTICATE PLAIN %s\r\n", plain(user, "wrong"))
			if got := i.line(); got != "a NO [AUTHENTICATIONFAILED] Authentication failed" {
				t.Errorf("IMAP says %q", got)
			}
		})
	}
}

func TestLoginEndsAConnection(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	d := w.dial("submissions")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	for range 2 {
		d.smtp("AUTH PLAIN "+plain("afi@gouv.tg", "wrong"), "535")
	}
	d.smtp("AUTH PLAIN "+plain("afi@gouv.tg", "wrong"), "535")
	d.smtp("", "421 4.7.0")
	d.closed()
	a.drop(false)
	w.until("the link is down", func() bool { return !w.cells.Linked()["a"] })
	d = w.dial("submissions")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("AUTH PLAIN "+plain("afi@gouv.tg", fakePassword), "454 4.7.0")
}

func TestOldTLSIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	config := w.tlsConfig()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, listener := range []string{"submissions", "imaps"} {
		if c, err := tls.Dial("tcp", w.addresses()[listener], config); err == nil {
			c.Close()
			t.Errorf("%s speaks TLS 1.1", listener)
		}
	}
}
