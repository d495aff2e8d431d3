package smtp

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
)

const inbound = "Received: from x by y; Mon, 02 Nov 2026 09:00:00 +0000\nFrom: a@example.org\nSubject: x\n\ntext\n"

func TestLMTPRecipients(t *testing.T) {
	b := newBed(t, nil)
	c := b.lmtp()
	for _, test := range []struct {
		to   string
		size int64
		want string
	}{
		{agent, 0, "250"}, {strings.ToUpper(agent), 0, "250"}, {shared, 100, "250"}, {"nobody@finances.gouv.tg", 0, "550 5.1.1"},
		{"kossi@sante.gouv.tg", 0, "550 5.1.1"}, {former, 0, "550 5.2.1"}, {full, 1000, "250"}, {full, 3000, "452 4.2.2"},
	} {
		if err := c.Mail("a@example.org", &smtp.MailOptions{Size: test.size}); err != nil {
			t.Fatal(err)
		}
		if got := replyOf(c.Rcpt(test.to, nil)); got != test.want {
			t.Errorf("%s of %d bytes: got %s, want %s", test.to, test.size, got, test.want)
		}
		c.Reset()
	}
	if got := replyOf(c.Mail("a@example.org", &smtp.MailOptions{Size: 1 << 20})); got != "552 5.3.4" {
		t.Error(got)
	}
}

func TestLMTPDelivers(t *testing.T) {
	b := newBed(t, nil)
	if err := send(b.lmtp(), "a@example.org", []string{agent, shared, agent}, inbound, nil); err != nil {
		t.Fatal(err)
	}
	one, two := b.inbox(agent), b.inbox(shared)
	if len(one) != 1 || len(two) != 1 {
		t.Fatalf("delivered %d and %d", len(one), len(two))
	}
	if want := "Return-Path: <a@example.org>\r\nReceived: from agent.example\r\n\tby mail.gouv.tg with LMTPS id "; !strings.HasPrefix(one[0], want) {
		t.Errorf("begins %q", one[0])
	}
	if !strings.HasSuffix(one[0], strings.ReplaceAll(inbound, "\n", "\r\n")) {
		t.Errorf("message changed: %q", one[0])
	}
	if err := send(b.lmtp(), "", []string{agent}, inbound, nil); err != nil {
		t.Fatal(err)
	}
	if got := b.inbox(agent)[1]; !strings.HasPrefix(got, "Return-Path: <>\r\n") {
		t.Errorf("null sender: %q", got)
	}
	if got := replyOf(send(b.lmtp(), "", []string{agent}, strings.Repeat("Received: x\n", 51)+inbound, nil)); !strings.Contains(got, "554") {
		t.Errorf("loop: %s", got)
	}
	if counts := b.server.Counts(); counts.Delivered != 2 {
		t.Errorf("counts %+v", counts)
	}
}

func TestLMTPRepeatIsOnce(t *testing.T) {
	b := newBed(t, nil)
	options := &smtp.MailOptions{EnvelopeID: "token-1"}
	for range 2 {
		if err := send(b.lmtp(), agent, []string{colleague}, inbound, options); err != nil {
			t.Fatal(err)
		}
	}
	// The same envelope for one more recipient: only that one gets it.
	if err := send(b.lmtp(), agent, []string{colleague, shared}, inbound, options); err != nil {
		t.Fatal(err)
	}
	if one, two := len(b.inbox(colleague)), len(b.inbox(shared)); one != 1 || two != 1 {
		t.Errorf("delivered %d and %d times", one, two)
	}
}

func TestLMTPOverQuotaAtTheEnd(t *testing.T) {
	long := inbound + strings.Repeat("x\n", 1000)
	for _, test := range []struct {
		name      string
		options   *smtp.MailOptions
		delivered int // to the other recipient
	}{
		{"size not declared", nil, 1},
		{"retries are recognised", &smtp.MailOptions{EnvelopeID: "token", Size: 100}, 1},
		{"size declared, too low", &smtp.MailOptions{Size: 100}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t, nil)
			c := b.lmtp()
			if err := c.Mail("a@example.org", test.options); err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{full, agent} {
				if err := c.Rcpt(to, nil); err != nil {
					t.Fatal(err)
				}
			}
			w, err := c.Data()
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, strings.ReplaceAll(long, "\n", "\r\n"))
			replies, err := w.CloseWithLMTPResponse()
			var refused smtp.LMTPDataError
			if !errors.As(err, &refused) || replyOf(refused[full]) != "452 4.2.2" || (replies[agent] != nil) != (test.delivered == 1) {
				t.Errorf("replies %v, %v", replies, err)
			}
			if n := len(b.inbox(agent)); n != test.delivered {
				t.Errorf("delivered %d, want %d", n, test.delivered)
			}
			if n := len(b.inbox(full)); n != 0 {
				t.Errorf("over quota: %d", n)
			}
		})
	}
}
