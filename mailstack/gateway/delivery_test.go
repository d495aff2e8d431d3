package gateway

import (
	"slices"
	"strings"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/link"
)

func TestMXDelivers(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	w.join(a)
	for _, secure := range []bool{false, true} {
		d := w.dial("smtp")
		d.smtp("", "220 mail.gouv.tg ESMTP")
		got := d.smtp("EHLO mx.example", "250-mail.gouv.tg\n")
		for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "STARTTLS", "SIZE 1048576"} {
			if !strings.Contains(got, want) {
				t.Errorf("EHLO lacks %s: %s", want, got)
			}
		}
		if strings.Contains(got, "AUTH") || strings.Contains(got, "DSN") {
			t.Errorf("EHLO offers too much: %s", got)
		}
		with := "ESMTP"
		if secure {
			d.smtp("STARTTLS", "220 2.0.0")
			d.tls(w)
			if got := d.smtp("EHLO mx.example", "250-"); strings.Contains(got, "STARTTLS") {
				t.Errorf("EHLO over TLS: %s", got)
			}
			with = "ESMTPS"
		}
		d.smtp("MAIL FROM:<\"odd name\"@example.com> SIZE=100 BODY=8BITMIME", "250 2.1.0")
		d.smtp("RCPT TO:<Afi@GOUV.tg>", "250 2.1.5")
		d.smtp("RCPT TO:<kofi@a.gouv.tg>", "250 2.1.5")
		d.smtp("RCPT TO:<afi@gouv.tg>", "250 2.1.5") // the same again
		d.smtp("DATA", "354")
		d.smtp("Subject: x\r\n\r\n..dot\r\n\xe9 long "+strings.Repeat("y", 5000)+"\r\n.", "250 2.6.0")
		msgs := a.stored()
		if len(msgs) != 1 || msgs[0].from != `"odd name"@example.com` || !slices.Equal(msgs[0].to, []string{"afi@gouv.tg", "kofi@a.gouv.tg"}) {
			t.Fatalf("stored %+v", msgs)
		}
		head, body, _ := strings.Cut(msgs[0].body, "Subject: ")
		if !strings.HasPrefix(head, "Received: from mx.example ([127.0.0.1])\r\n\tby mail.gouv.tg with "+with+" id ") || strings.Contains(head, "for <") {
			t.Errorf("trace is %q", head)
		}
		if body != "x\r\n\r\n.dot\r\n\xe9 long "+strings.Repeat("y", 5000)+"\r\n" {
			t.Errorf("body is %.80q", body)
		}
		// One recipient is named in the trace; a second transaction works on the same connection.
		d.smtp("MAIL FROM:<>", "250")
		d.smtp("RCPT TO:<afi@gouv.tg>", "250")
		d.smtp("DATA", "354")
		d.smtp("x: y\r\n\r\n.", "250")
		if msgs := a.stored(); len(msgs) != 1 || msgs[0].from != "" || !strings.Contains(msgs[0].body, "for <afi@gouv.tg>") {
			t.Errorf("stored %+v", msgs)
		}
		d.smtp("QUIT", "221 2.0.0")
		d.closed()
	}
}

func TestMXRefuses(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	b := newFakeCell(t, w.ca, "b", "ama@gouv.tg")
	a.fail["kofi@a.gouv.tg"] = &gosmtp.SMTPError{Code: 452, EnhancedCode: gosmtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	w.join(a, b)
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("MAIL FROM:<x@example.com>", "503 5.5.1")
	d.smtp("EHLO x", "250")
	d.smtp("AUTH PLAIN AAAA", "502 5.5.1")
	d.smtp("DATA", "503 5.5.1")
	d.smtp("MAIL FROM:<x@example.com> SIZE=2000000", "552 5.3.4")
	d.smtp("MAIL FROM:<x@example.com> ENVID=x", "555 5.5.4")
	d.smtp("MAIL FROM:<x@example.com>", "250")
	d.smtp("MAIL FROM:<x@example.com>", "503 5.5.1")
	d.smtp("RCPT TO:<x@example.com>", "550 5.7.1")
	d.smtp("RCPT TO:<nobody@gouv.tg>", "550 5.1.1")
	d.smtp("RCPT TO:<\"no body\"@gouv.tg>", "550 5.1.1")
	d.smtp("RCPT TO:<nobody@a.gouv.tg>", "550 5.1.1 cell knows no such user")
	d.smtp("RCPT TO:<postmaster>", "550 5.1.1")
	d.smtp("RCPT TO:<kofi@a.gouv.tg>", "452 4.2.2 mailbox full")
	d.smtp("DATA", "554 5.5.1")
	d.smtp("RCPT TO:<ama@gouv.tg>", "250") // no recipient has been taken by the other cell
	d.smtp("RCPT TO:<afi@gouv.tg>", "452 4.5.3 one destination at a time")
	d.smtp("DATA", "354")
	d.smtp("x\r\n.", "250")
	if len(b.stored()) != 1 || len(a.stored()) != 0 {
		t.Error("the message went elsewhere")
	}
}

func TestMXPassesTheCellsReplyToDATA(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	a.fail["DATA"] = &gosmtp.SMTPError{Code: 452, EnhancedCode: gosmtp.EnhancedCode{4, 3, 1}, Message: "disk is full"}
	w.join(a)
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("MAIL FROM:<>", "250")
	d.smtp("RCPT TO:<afi@gouv.tg>", "250")
	d.smtp("DATA", "354")
	if got := d.smtp("x\r\n.", "452 4.3.1"); !strings.HasSuffix(got, "disk is full") {
		t.Errorf("reply is %q", got)
	}
	d.smtp("NOOP", "250")
}

func TestTooLargeOrBrokenOffIsNotStored(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	begin := func() *dialogue {
		d := w.dial("smtp")
		d.smtp("", "220")
		d.smtp("EHLO x", "250")
		d.smtp("MAIL FROM:<>", "250")
		d.smtp("RCPT TO:<afi@gouv.tg>", "250")
		d.smtp("DATA", "354")
		return d
	}
	d := begin()
	d.smtp(strings.Repeat(strings.Repeat("x", 998)+"\r\n", 1100)+".", "552 5.3.4")
	d.smtp("NOOP", "250")
	d = begin()
	d.send("half a mess")
	d.conn.Close()
	d = begin()
	d.send("half a message\r\n")
	d.conn.Close()
	// A later message shows that the earlier ones have been dealt with.
	d = begin()
	d.smtp("whole\r\n.", "250")
	if msgs := a.stored(); len(msgs) != 1 || !strings.HasSuffix(msgs[0].body, "whole\r\n") {
		t.Errorf("stored %+v", msgs)
	}
}

func TestRoutesThatAreNotThereYet(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	b := newFakeCell(t, w.ca, "b", "ama@gouv.tg")
	b.silent = true
	rcpt := func(to, want string) {
		t.Helper()
		d := w.dial("smtp")
		d.smtp("", "220")
		d.smtp("EHLO x", "250")
		d.smtp("MAIL FROM:<>", "250")
		d.smtp("RCPT TO:<"+to+">", want)
		d.smtp("QUIT", "221")
	}
	rcpt("x@example.com", "451 4.3.0") // it may yet become one of ours
	rcpt("afi@gouv.tg", "451 4.3.0")
	w.route(a, b)
	w.until("one directory is there", func() bool { return w.table.Stats().Synced == 1 })
	rcpt("x@example.com", "550 5.7.1")
	rcpt("afi@gouv.tg", "250")
	rcpt("nobody@gouv.tg", "451 4.3.0") // b may have it
	b.mu.Lock()
	b.silent = false
	b.mu.Unlock()
	b.drop(true)
	w.until("both directories are there", func() bool { return w.table.Stats().Synced == 2 })
	rcpt("nobody@gouv.tg", "550 5.1.1")
	rcpt("ama@gouv.tg", "250")

	a.drop(false)
	w.until("the link is down", func() bool { return !w.cells.Linked()["a"] })
	rcpt("afi@gouv.tg", "451 4.4.1")
	rcpt("new@a.gouv.tg", "451 4.4.1")
	rcpt("nobody@gouv.tg", "550 5.1.1")
	a.mu.Lock()
	a.down = false
	a.mu.Unlock()
	w.until("the link is up again", func() bool { return w.cells.Linked()["a"] })
	rcpt("afi@gouv.tg", "250")

	// A Pod that is being deleted: known, and not to be reached.
	w.set([]route.Cell{{Ministry: "a", Domains: []string{"a.gouv.tg"}}, {Ministry: "b", Address: b.address}})
	rcpt("afi@gouv.tg", "451 4.4.1")
	w.set([]route.Cell{{Ministry: "b", Address: b.address}})
	rcpt("afi@gouv.tg", "451 4.4.1")
	rcpt("x@a.gouv.tg", "451 4.4.1")
}

func TestDirectoryChanges(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	b := newFakeCell(t, w.ca, "b", "ama@gouv.tg")
	w.join(a, b)
	verdict := func(address string) route.Verdict { return w.table.Lookup(address).Verdict }
	a.updates <- link.DirectoryUpdate{Add: []string{"new@gouv.tg"}}
	w.until("an address is added", func() bool { return verdict("new@gouv.tg") == route.Found })
	a.updates <- link.DirectoryUpdate{Remove: []string{"new@gouv.tg"}}
	w.until("it is removed", func() bool { return verdict("new@gouv.tg") == route.UnknownUser })
	b.updates <- link.DirectoryUpdate{Add: []string{"afi@gouv.tg"}}
	w.until("an address is contested", func() bool { return verdict("afi@gouv.tg") == route.Contested })
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("MAIL FROM:<>", "250")
	d.smtp("RCPT TO:<afi@gouv.tg>", "451 4.3.5")
	b.updates <- link.DirectoryUpdate{Remove: []string{"afi@gouv.tg"}}
	w.until("it is settled", func() bool { return w.table.Lookup("afi@gouv.tg").Ministry == "a" })
	// A cell that breaks the rules loses its link, comes back, and what it held is held still.
	b.updates <- link.DirectoryUpdate{Add: []string{"foreign@example.com"}}
	w.until("the link is made anew", func() bool { return w.cells.Linked()["b"] && verdict("ama@gouv.tg") == route.Found })
}

// TestOpenRecipients: who is open is taken without asking, if the message is known to be small; the cell has the last word.
func TestOpenRecipients(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	w.join(a)
	a.updates <- link.DirectoryUpdate{Open: []string{"afi@gouv.tg", "kofi@a.gouv.tg", "gone@a.gouv.tg"}}
	w.until("they are open", func() bool { return w.table.Lookup("gone@a.gouv.tg").Open })
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	send := func(size, reply string, recipients ...string) {
		t.Helper()
		d.smtp("MAIL FROM:<x@example.com>"+size, "250")
		for _, r := range recipients {
			to, code, _ := strings.Cut(r, " ")
			d.smtp("RCPT TO:<"+to+">", code)
		}
		if reply == "" {
			d.smtp("RSET", "250")
			return
		}
		d.smtp("DATA", "354")
		d.smtp("x: y\r\n\r\n.", reply)
	}
	send(" SIZE=100", "250", "afi@gouv.tg 250")
	send(" SIZE=100", "250", "afi@gouv.tg 250", "kofi@a.gouv.tg 250")
	send("", "", "gone@a.gouv.tg 550") // of any size: asked
	send(" SIZE=100", "550 5.1.1", "gone@a.gouv.tg 250")
	send(" SIZE=100", "451 4.3.0", "afi@gouv.tg 250", "gone@a.gouv.tg 250")
	send(" SIZE=100", "", "nobody@a.gouv.tg 550")
	a.updates <- link.DirectoryUpdate{Shut: []string{"gone@a.gouv.tg"}}
	w.until("it is shut", func() bool { return !w.table.Lookup("gone@a.gouv.tg").Open })
	send(" SIZE=100", "250", "afi@gouv.tg 250", "gone@a.gouv.tg 550")
	if got := a.stored(); len(got) != 3 || len(got[1].to) != 2 {
		t.Errorf("stored %+v", got)
	}
	// The stream of the last message is lost: the next one goes by another.
	a.drop(true)
	w.until("the link is up again", func() bool { return w.cells.Linked()["a"] })
	a.updates <- link.DirectoryUpdate{Open: []string{"afi@gouv.tg"}}
	w.until("it is open", func() bool { return w.table.Lookup("afi@gouv.tg").Open })
	send(" SIZE=100", "250", "afi@gouv.tg 250")
}

func TestLMTP(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg", "kofi@a.gouv.tg")
	w.join(a)
	d := w.dial("lmtp")
	d.smtp("", "220 mail.gouv.tg LMTP")
	d.smtp("EHLO x", "500 5.5.1")
	d.smtp("LHLO x", "250")
	d.smtp("MAIL FROM:<x@example.com>", "250")
	d.smtp("RCPT TO:<afi@gouv.tg>", "250")
	d.smtp("RCPT TO:<nobody@gouv.tg>", "550 5.1.1")
	d.smtp("RCPT TO:<kofi@a.gouv.tg>", "250")
	d.smtp("DATA", "354")
	d.smtp("x\r\n.", "250")
	d.smtp("", "250") // one for each recipient (RFC 2033, 4.2)
	if msgs := a.stored(); len(msgs) != 1 || !strings.Contains(msgs[0].body, "with LMTP id") {
		t.Errorf("stored %+v", msgs)
	}
}

// A sender's connection outlives the link that its last message took.
func TestNextMessageAfterTheLinkWasLost(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	w.join(a)
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	for i := range 3 {
		if i > 0 {
			a.drop(false)
			w.until("the link is down", func() bool { return !w.cells.Linked()["a"] })
			a.mu.Lock()
			a.down = false
			a.mu.Unlock()
			w.until("the link is up", func() bool { return w.cells.Linked()["a"] })
		}
		d.smtp("MAIL FROM:<x@example.com>", "250")
		d.smtp("RCPT TO:<nobody@a.gouv.tg>", "550 5.1.1")
		d.smtp("RCPT TO:<afi@gouv.tg>", "250")
		d.smtp("DATA", "354")
		d.smtp("text\r\n.", "250")
	}
	if n := len(a.stored()); n != 3 {
		t.Errorf("stored %d messages, want 3", n)
	}
}

func TestLMTPIsForTrustedNetworks(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.TrustedNetworks = nil })
	w.dial("lmtp").smtp("", "421 4.7.0")
}

func TestRelay(t *testing.T) {
	w := newWorld(t, nil)
	a := newFakeCell(t, w.ca, "a", "afi@gouv.tg")
	b := newFakeCell(t, w.ca, "b", "ama@gouv.tg", "yao@gouv.tg")
	w.join(a, b)
	c := a.relay()
	send := func(from, envid string, to ...string) error {
		t.Helper()
		if err := c.Mail(from, &gosmtp.MailOptions{EnvelopeID: envid}); err != nil {
			return err
		}
		for _, r := range to {
			if err := c.Rcpt(r, nil); err != nil {
				c.Reset()
				return err
			}
		}
		wc, err := c.Data()
		if err != nil {
			return err
		}
		wc.Write([]byte("Subject: x\r\n\r\n.\r\n"))
		return wc.Close()
	}
	for _, from := range []string{"afi@gouv.tg", "anyone@a.gouv.tg", ""} {
		if err := send(from, "token+1 =", "ama@gouv.tg", "yao@gouv.tg"); err != nil {
			t.Fatalf("from %q: %v", from, err)
		}
		msgs := b.stored()
		if len(msgs) != 1 || msgs[0].from != from || msgs[0].body != "Subject: x\r\n\r\n.\r\n" || len(msgs[0].to) != 2 {
			t.Errorf("stored %+v", msgs)
		}
	}
	b.mu.Lock()
	if !slices.Equal(b.envids, []string{"token+1 =", "token+1 =", "token+1 ="}) {
		t.Errorf("envelope ids are %q", b.envids)
	}
	b.fail["yao@gouv.tg"] = &gosmtp.SMTPError{Code: 452, EnhancedCode: gosmtp.EnhancedCode{4, 2, 2}, Message: "full"}
	b.mu.Unlock()
	for name, tc := range map[string]struct {
		from, to string
		code     int
	}{
		"foreign shared sender": {"ama@gouv.tg", "ama@gouv.tg", 550},
		"foreign domain":        {"x@b.gouv.tg", "ama@gouv.tg", 550},
		"external sender":       {"x@example.com", "ama@gouv.tg", 550},
		"external recipient":    {"afi@gouv.tg", "x@example.com", 550},
		"unknown recipient":     {"afi@gouv.tg", "nobody@gouv.tg", 550},
		"full":                  {"afi@gouv.tg", "yao@gouv.tg", 452},
	} {
		err := send(tc.from, "", tc.to)
		if e, ok := err.(*gosmtp.SMTPError); !ok || e.Code != tc.code {
			t.Errorf("%s: %v, want %d", name, err, tc.code)
		}
	}
	if msgs := b.stored(); len(msgs) != 0 {
		t.Errorf("stored %+v", msgs)
	}
}
