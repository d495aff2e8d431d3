package smtp

import (
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"gouv.tg/messagerie/mailstack/mime"
)

const letter = "From: Afi <afi.mensah@finances.gouv.tg>\nTo: kossi.agbeko@finances.gouv.tg\nSubject: =?utf-8?Q?Budget?=\n" +
	"Bcc: secret@finances.gouv.tg\nDate: Mon, 02 Nov 2026 09:00:00 +0000\nMessage-ID: <1@finances.gouv.tg>\n\nText.\n.dot\n"

func TestSubmissionSenders(t *testing.T) {
	b := newBed(t, nil)
	c := b.submission(agent)
	for _, test := range []struct{ name, from, text, want string }{
		{"own address", agent, letter, "250"},
		{"own address in capitals", strings.ToUpper(agent), letter, "250"},
		{"colleague", colleague, letter, "550 5.7.1"},
		{"another ministry", "x@sante.gouv.tg", letter, "550 5.7.1"},
		{"null sender", "", letter, "550 5.7.1"},
		{"header of another", agent, strings.Replace(letter, "afi.mensah@", "kossi.agbeko@", 1), "550 5.7.1"},
		{"second author", agent, strings.Replace(letter, "From: ", "From: x@sante.gouv.tg, ", 1), "550 5.7.1"},
		{"second From", agent, "From: x@sante.gouv.tg\n" + letter, "550 5.7.1"},
		{"hidden From", agent, "From : x@sante.gouv.tg\n" + letter, "550 5.7.1"},
		{"no From", agent, "Subject: x\n\ntext\n", "550 5.7.1"},
		{"group From", agent, "From: nobody:;\n\ntext\n", "550 5.7.1"},
		{"sender of another", agent, "Sender: x@sante.gouv.tg\n" + letter, "550 5.7.1"},
		{"own sender", agent, "Sender: " + agent + "\n" + letter, "250"},
		{"no header", agent, "just text\n", "550 5.6.0"},
		{"loop", agent, strings.Repeat("Received: by x\n", 51) + letter, "554 5.4.6"},
		{"too big", agent, letter + strings.Repeat("0123456789\n", 12000), "552 5.3.4"},
		{"too big with what is added", agent, letter + strings.Repeat("0123456789\n", 10892), "552 5.3.4"},
		{"charset of the name", agent, strings.Replace(letter, "Afi", "=?iso-8859-1?Q?Af=EF?=", 1), "250"},
	} {
		if got := replyOf(send(c, test.from, []string{colleague}, test.text, nil)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	if n := len(b.inbox(colleague)); n != 4 {
		t.Errorf("%d messages were delivered, want 4", n)
	}
}

func TestSubmissionRecipients(t *testing.T) {
	for _, mode := range []struct {
		name   string
		relay  fakeRelay
		direct bool // outbound relay is configured
		want   map[string]string
	}{
		{name: "gateway", want: map[string]string{
			"kossi@sante.gouv.tg": "250", "nobody@sante.gouv.tg": "550 5.1.1", "ama@gouv.tg": "250", "nobody@gouv.tg": "550 5.1.1",
			"x@example.org": "550 5.7.1",
		}},
		{name: "outbound", direct: true, want: map[string]string{
			"x@example.org": "250", "Quoted.Local@EXAMPLE.org": "250", "nobody@sante.gouv.tg": "550 5.1.1", "nobody@gouv.tg": "550 5.1.1",
		}},
		{name: "no gateway", relay: fakeRelay{down: true}, want: map[string]string{"kossi@sante.gouv.tg": "250", "x@example.org": "250"}},
		{name: "broken gateway", relay: fakeRelay{silent: true}, want: map[string]string{"kossi@sante.gouv.tg": "250", "nobody@gouv.tg": "250"}},
		{name: "unsure gateway", relay: fakeRelay{unsure: true}, want: map[string]string{"nobody@sante.gouv.tg": "250"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			b := newBed(t, func(o *Options) { o.OutboundRelay = mode.direct })
			b.relay.down, b.relay.silent, b.relay.unsure = mode.relay.down, mode.relay.silent, mode.relay.unsure
			for to, want := range map[string]string{
				colleague: "250", strings.ToUpper(colleague): "250", shared: "250", "nobody@finances.gouv.tg": "550 5.1.1",
				former: "550 5.2.1", "no-at-sign": "501 5.5.2", "a@b": "553 5.1.3",
			} {
				if mode.want[to] == "" {
					mode.want[to] = want
				}
			}
			c := b.submission(agent)
			for to, want := range mode.want {
				if err := c.Mail(agent, nil); err != nil {
					t.Fatal(err)
				}
				if got := replyOf(c.Rcpt(to, nil)); got != want && !(to == "no-at-sign" && strings.HasPrefix(got, "5")) {
					t.Errorf("%s: got %s, want %s", to, got, want)
				}
				c.Reset()
			}
		})
	}
}

func TestSubmissionIsStoredOnce(t *testing.T) {
	b := newBed(t, nil)
	to := []string{colleague, shared, "kossi@sante.gouv.tg", "ama@gouv.tg", colleague}
	if err := send(b.submission(agent), agent, to, letter, nil); err != nil {
		t.Fatal(err)
	}
	if b.relay.opened != 1 {
		t.Errorf("%d streams for one transaction", b.relay.opened)
	}
	if got := b.queued(); !slices.Equal(got, []string{"kossi@sante.gouv.tg", "ama@gouv.tg"}) {
		t.Errorf("queued %q", got)
	}
	one, two := b.inbox(colleague), b.inbox(shared)
	if len(one) != 1 || len(two) != 1 || one[0] != two[0] {
		t.Fatalf("delivered %q and %q", one, two)
	}
	raw := one[0]
	if strings.Contains(raw, "secret@") || strings.Contains(raw, "for <") {
		t.Errorf("blind copy shows in %s", raw)
	}
	if !strings.HasSuffix(raw, "\r\n\r\nText.\r\n.dot\r\n") {
		t.Errorf("body changed: %q", raw)
	}
	header, _ := mime.Split([]byte(raw))
	received := mime.Get(header, "Received")
	if !strings.HasPrefix(received, "from agent.example ([192.0.2.7])\tby mail.gouv.tg with ESMTPSA id ") {
		t.Errorf("Received: %q", received)
	}
	verifySignature(t, raw, "finances.gouv.tg")
}

func verifySignature(t *testing.T, raw, domain string) {
	t.Helper()
	verifications, err := dkim.VerifyWithOptions(strings.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT: func(name string) ([]string, error) {
			if name != "m1._domainkey."+domain {
				return nil, errors.New("no record " + name)
			}
			return []string{dkimRecord(t)}, nil
		},
	})
	if err != nil || len(verifications) != 1 || verifications[0].Err != nil || verifications[0].Domain != domain {
		t.Errorf("signature: %+v, %v", verifications, err)
	}
	if added := strings.Replace(raw, "Subject:", "From: other@example.org\r\nSubject:", 1); len(verifications) == 1 {
		again, err := dkim.VerifyWithOptions(strings.NewReader(added), &dkim.VerifyOptions{
			LookupTXT: func(string) ([]string, error) { return []string{dkimRecord(t)}, nil },
		})
		if err == nil && again[0].Err == nil {
			t.Error("signature holds with a second From")
		}
	}
}

func TestSubmissionCompletesAndSignsForSharedDomain(t *testing.T) {
	b := newBed(t, nil)
	bare := "From: <" + shared + ">\nSubject: x\n\n"
	if err := send(b.submission(shared), shared, []string{agent}, bare, nil); err != nil {
		t.Fatal(err)
	}
	raw := b.inbox(agent)[0]
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Header.Date(); err != nil || !strings.HasSuffix(m.Header.Get("Message-Id"), "@gouv.tg>") {
		t.Errorf("not completed: %s", raw)
	}
	if !strings.Contains(raw, "for <"+agent+">") {
		t.Errorf("the one recipient is not named: %s", raw)
	}
	verifySignature(t, raw, "gouv.tg")
}

func TestSubmissionUnsigned(t *testing.T) {
	b := newBed(t, func(o *Options) { o.Key = nil })
	if err := send(b.submission(agent), agent, []string{colleague}, letter, nil); err != nil {
		t.Fatal(err)
	}
	if raw := b.inbox(colleague)[0]; strings.Contains(raw, "DKIM-Signature") {
		t.Error(raw)
	}
}

func TestSubmissionOfDisabledAccount(t *testing.T) {
	b := newBed(t, nil)
	c := b.submission(former) // logged in before it was disabled
	if got := replyOf(c.Mail(former, nil)); got != "535 5.7.8" {
		t.Error(got)
	}
}

func TestSubmissionLimits(t *testing.T) {
	b := newBed(t, nil)
	c := b.submission(agent)
	if err := c.Mail(agent, nil); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := c.Rcpt(colleague, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := replyOf(c.Rcpt(colleague, nil)); got != "452 4.5.3" {
		t.Error(got)
	}
	c.Reset()
	if ok, size := c.Extension("SIZE"); !ok || size != itoa(128<<10) {
		t.Errorf("SIZE %q", size)
	}
	if ok, _ := c.Extension("AUTH"); ok {
		t.Error("AUTH is offered to an authenticated agent")
	}
	if got := replyOf(send(c, agent, []string{full}, letter+strings.Repeat("x\n", 1000), nil)); got != "452 4.2.2" {
		t.Errorf("over quota at the end: %s", got)
	}
	if n := len(b.inbox(full)); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestSubmissionBreaksOff(t *testing.T) {
	b := newBed(t, nil)
	c := b.submission(agent)
	if err := c.Mail(agent, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt(colleague, nil); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, letter[:100])
	c.Close()
	if err := send(b.submission(agent), agent, []string{shared}, letter, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(b.inbox(colleague)); n != 0 {
		t.Errorf("a part of a message was delivered")
	}
}
