package smtp

import (
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/link/handover"
)

const inbound = "Received: from x by y; Mon, 02 Nov 2026 09:00:00 +0000\r\nFrom: a@example.org\r\nSubject: x\r\n\r\ntext\r\n"

func (b *bed) handover() *handover.Client {
	b.t.Helper()
	client, server := pair(b.t)
	done := make(chan error, 1)
	go func() { done <- b.server.HandleDelivery(streams.NewConn(server, "192.0.2.8:25")) }()
	b.t.Cleanup(func() {
		client.Close()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	return handover.NewClient(client)
}

func TestDeliveries(t *testing.T) {
	b := newBed(t, nil)
	c := b.handover()
	text := inbound + ".\r\n..\r\n"
	long := text + strings.Repeat("x\r\n", 1000)
	for _, test := range []struct {
		name        string
		mail        handover.Mail
		to          []string
		text        string
		rcpts, data string
		one, two    int // messages of agent and colleague afterwards
	}{
		{"two", handover.Mail{Hello: "agent.example", From: "a@example.org"}, []string{agent, "nobody@finances.gouv.tg", former, colleague}, text, "250, 550 5.1.1, 550 5.2.1, 250", "250, 250", 1, 1},
		{"first time", handover.Mail{EnvelopeID: "token"}, []string{agent}, text, "250", "250", 2, 1},
		{"again", handover.Mail{EnvelopeID: "token"}, []string{agent, colleague}, text, "250, 250", "250, 250", 2, 2},
		{"full at the end", handover.Mail{}, []string{full, agent}, long, "250, 250", "452 4.2.2, 250", 3, 2},
		{"full at once", handover.Mail{Size: 3000}, []string{full}, text, "452 4.2.2", "", 3, 2},
		{"declared too large", handover.Mail{Size: 1 << 20}, []string{agent}, text, "552 5.3.4", "", 3, 2},
		{"too large", handover.Mail{}, []string{agent}, strings.Repeat("x", 193<<10), "250", "552 5.3.4", 3, 2},
		{"too many", handover.Mail{}, []string{agent, agent, agent, agent, agent, agent}, "", "250, 250, 250, 250, 250, 452 4.5.3", "", 3, 2},
		{"one account by two names", handover.Mail{From: "a@example.org"}, []string{strings.ToUpper(agent), agent, shared}, text, "250, 250, 250", "250, 250, 250", 4, 2},
		{"of another ministry", handover.Mail{}, []string{"kossi@sante.gouv.tg"}, text, "550 5.1.1", "", 4, 2},
		{"room for what was declared", handover.Mail{Size: 1000}, []string{full}, text, "250", "", 4, 2},
		{"size declared too low", handover.Mail{Size: 100}, []string{full, agent}, long, "250, 250", "452 4.2.2, 452 4.2.2", 4, 2},
		{"size declared too low, retries are recognised", handover.Mail{Size: 100, EnvelopeID: "other"}, []string{full, agent}, long, "250, 250", "452 4.2.2, 250", 5, 2},
		{"loop", handover.Mail{}, []string{agent}, strings.Repeat("Received: x\r\n", 51) + text, "250", "554 5.4.6", 5, 2},
		{"sender breaks the line", handover.Mail{From: "a@b\r\nX: y"}, []string{agent}, text, "553 5.1.7", "", 5, 2},
	} {
		c.Mail(test.mail)
		var got []string
		for _, to := range test.to {
			got = append(got, replyOf(c.Rcpt(to)))
		}
		if got := strings.Join(got, ", "); got != test.rcpts {
			t.Errorf("%s: recipients %s, want %s", test.name, got, test.rcpts)
		}
		if test.data == "" {
			if err := c.Reset(); err != nil {
				t.Fatal(err)
			}
		} else {
			replies, err := c.Data("", strings.NewReader(test.text))
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			got = nil
			for _, r := range replies {
				got = append(got, replyOf(r))
			}
			if got := strings.Join(got, ", "); got != test.data {
				t.Errorf("%s: message %s, want %s", test.name, got, test.data)
			}
		}
		if one, two := len(b.inbox(agent)), len(b.inbox(colleague)); one != test.one || two != test.two {
			t.Errorf("%s: %d and %d messages, want %d and %d", test.name, one, two, test.one, test.two)
		}
	}
	if n := len(b.inbox(full)); n != 0 {
		t.Errorf("over quota: %d messages", n)
	}
	if got, want := b.server.Counts(), (Counts{Delivered: 6, Recipients: 10, Refused: 4}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if got := b.inbox(agent)[1]; !strings.HasPrefix(got, "Return-Path: <>\r\n") {
		t.Errorf("null sender: %q", got)
	}
	stored := b.inbox(agent)[0]
	if want := "Return-Path: <a@example.org>\r\nReceived: from agent.example\r\n\tby mail.gouv.tg with LMTPS id "; !strings.HasPrefix(stored, want) || !strings.HasSuffix(stored, text) {
		t.Errorf("stored %q", stored)
	}
}

func TestCloseEndsDeliveries(t *testing.T) {
	b := newBed(t, nil)
	client, server := pair(t)
	defer client.Close()
	done := make(chan error, 1)
	go func() { done <- b.server.HandleDelivery(streams.NewConn(server, "")) }()
	c := handover.NewClient(client)
	c.Mail(handover.Mail{})
	if err := c.Rcpt(agent); err != nil {
		t.Fatal(err)
	}
	b.server.Close()
	<-done
	if _, err := c.Data("", strings.NewReader(inbound)); err == nil {
		t.Error("a message was taken after Close")
	}
}
