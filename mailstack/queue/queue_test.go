package queue

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-smtp"
)

func TestSends(t *testing.T) {
	b := newBed(t, nil)
	b.submit(agent, time.Hour, friend, "ama@gouv.tg")
	ids := map[string]string{}
	for _, item := range b.items() {
		ids[item.Recipient] = item.Token
	}
	b.run()
	b.untilEmpty()
	got := b.gateway.got()
	if len(got) != 2 {
		t.Fatalf("received %+v", got)
	}
	for _, r := range got {
		if r.from != agent || r.id != ids[r.to] || r.raw != letter {
			t.Errorf("received %+v, tokens %v", r, ids)
		}
	}
	b.submit(agent, time.Hour, friend) // while it runs
	b.untilEmpty()
	if counts := b.queue.Counts(); counts != (Counts{Sent: 3}) {
		t.Errorf("counts %+v", counts)
	}
}

func TestRefusedForGood(t *testing.T) {
	b := newBed(t, nil)
	b.gateway.rcpt = func(string) error { return reply(550, 5, 1, 1, "No such user here") }
	b.submit(agent, time.Hour, friend)
	b.submit("", time.Hour, friend)                      // a report: never reported on
	b.submit("gone@finances.gouv.tg", time.Hour, friend) // nobody to tell
	b.run()
	b.untilEmpty()
	reports := b.inbox()
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	checkReport(t, reports[0], "5.1.1", "550 5.1.1 No such user here")
	if counts := b.queue.Counts(); counts != (Counts{Bounced: 3}) {
		t.Errorf("counts %+v", counts)
	}
}

// checkReport reads a report as RFC 3464 has it.
func checkReport(t *testing.T, raw, status, diagnostic string) {
	t.Helper()
	e, err := message.Read(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	media, params, _ := e.Header.ContentType()
	if media != "multipart/report" || params["report-type"] != "delivery-status" || e.Header.Get("Return-Path") != "<>" ||
		e.Header.Get("Auto-Submitted") != "auto-replied" || e.Header.Get("In-Reply-To") != "<1@finances.gouv.tg>" {
		t.Errorf("header of %s", raw)
	}
	var types []string
	for r := e.MultipartReader(); ; {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		media, _, _ := part.Header.ContentType()
		types = append(types, media)
		text, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch media {
		case "text/plain":
			if !strings.Contains(string(text), friend) || !strings.Contains(string(text), "pas pu être remis") {
				t.Errorf("text %q", text)
			}
		case "message/delivery-status":
			for _, want := range []string{
				"Reporting-MTA: dns; mail.gouv.tg\r\n", "Final-Recipient: rfc822; " + friend + "\r\n", "Action: failed\r\n",
				"Status: " + status + "\r\n", "Diagnostic-Code: smtp; " + diagnostic,
			} {
				if !strings.Contains(string(text), want) {
					t.Errorf("status lacks %q:\n%s", want, text)
				}
			}
		case "text/rfc822-headers":
			if !strings.Contains(string(text), "Subject: x") || strings.Contains(string(text), ".text") {
				t.Errorf("original %q", text)
			}
		}
	}
	if strings.Join(types, " ") != "text/plain message/delivery-status text/rfc822-headers" {
		t.Errorf("parts %q", types)
	}
	if strings.Contains(strings.ReplaceAll(raw, "\r\n", ""), "\n") {
		t.Error("bare LF in a report")
	}
}

func TestTriedAgainUntilItWorks(t *testing.T) {
	b := newBed(t, nil)
	b.gateway.data = func(n int) error {
		switch n {
		case 1:
			return reply(451, 4, 3, 0, "try later")
		case 2:
			return errLost // stored there, but the reply never comes
		}
		return nil
	}
	b.submit(agent, time.Hour, friend)
	token := b.items()[0].Token
	b.run()
	b.untilEmpty()
	got := b.gateway.got()
	if len(got) != 3 {
		t.Fatalf("%d attempts", len(got))
	}
	for _, r := range got { // the receiver stores a repeated ENVID once
		if r.id != token || r.raw != letter {
			t.Errorf("attempt %+v, token %s", r, token)
		}
	}
	if n := len(b.inbox()); n != 0 {
		t.Errorf("%d reports", n)
	}
}

func TestExpires(t *testing.T) {
	b := newBed(t, nil)
	b.gateway.rcpt = func(string) error { return reply(452, 4, 2, 2, "mailbox is over its quota") }
	b.submit(agent, 100*time.Millisecond, friend)
	b.run()
	b.untilEmpty()
	checkReport(t, b.inbox()[0], "4.4.7", "452 4.2.2 mailbox is over its quota")
}

func TestExpiresWithoutGateway(t *testing.T) {
	b := newBed(t, nil)
	b.gateway.connect(false)
	b.submit(agent, -time.Second, friend)
	b.run()
	b.untilEmpty()
	checkReport(t, b.inbox()[0], "4.4.7", "no gateway is connected")
}

func TestWaitsForGateway(t *testing.T) {
	b := newBed(t, nil)
	b.queue.pause = func(int) time.Duration { return time.Hour }
	b.gateway.data = func(n int) error {
		if n == 1 {
			return reply(451, 4, 4, 1, "cell is not reachable")
		}
		return nil
	}
	b.submit(agent, 2*time.Hour, friend)
	b.run()
	b.until("the first attempt has failed", func() bool { return b.items()[0].Attempts == 1 })
	b.gateway.connect(false)
	b.submit(agent, time.Hour, "ama@gouv.tg")
	b.gateway.connect(true) // both are sent now, not in an hour
	b.untilEmpty()
	if got := b.gateway.got(); len(got) != 3 {
		t.Errorf("received %+v", got)
	}
}

func TestSenderNotKnownYet(t *testing.T) {
	b := newBed(t, nil)
	b.gateway.mail = func(n int) error {
		if n < 3 {
			return reply(550, 5, 7, 1, "Sender address not owned by the ministry")
		}
		return nil
	}
	b.submit(agent, time.Hour, friend)
	stop := b.run()
	b.untilEmpty()
	stop()
	if n := len(b.inbox()); n != 0 {
		t.Fatalf("%d reports", n)
	}
	b.gateway.mail = func(int) error { return reply(550, 5, 7, 1, "Sender address not owned by the ministry") }
	b.submit(agent, time.Hour, friend)
	b.run()
	b.untilEmpty()
	checkReport(t, b.inbox()[0], "5.7.1", "550 5.7.1 Sender address not owned by the ministry")
}

func TestOutside(t *testing.T) {
	external := func(string) error { return reply(550, 5, 7, 1, "relaying denied") }
	t.Run("disabled", func(t *testing.T) {
		b := newBed(t, nil)
		b.gateway.rcpt = external
		b.submit(agent, time.Hour, friend)
		b.run()
		b.untilEmpty()
		checkReport(t, b.inbox()[0], "5.7.1", "550 5.7.1 relaying denied")
	})
	t.Run("relay", func(t *testing.T) {
		var w world
		b := newBed(t, &Outbound{Address: w.serve(t, nil)})
		b.gateway.rcpt = external
		b.submit(agent, time.Hour, "x@example.org", "nobody@example.org")
		b.run()
		b.untilEmpty()
		if len(w.received) != 1 || w.received[0] != (received{from: agent, to: "x@example.org", raw: letter}) {
			t.Errorf("received %+v", w.received)
		}
		if reports := b.inbox(); len(reports) != 1 || !strings.Contains(reports[0], "Remote-MTA: dns; 127.0.0.1\r\n") {
			t.Errorf("reports %q", reports)
		}
	})
	t.Run("relay with TLS", func(t *testing.T) {
		cert, roots := certificate(t)
		var w world
		address := w.serve(t, func(s *smtp.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} })
		b := newBed(t, &Outbound{Address: address, TLS: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}, everywhere: true})
		b.gateway.rcpt = external
		b.submit(agent, time.Hour, "x@example.org")
		b.run()
		b.untilEmpty()
		if len(w.received) != 1 || w.received[0].id != "TLS" {
			t.Errorf("received %+v", w.received)
		}
	})
	t.Run("relay without TLS is not used", func(t *testing.T) {
		var w world
		b := newBed(t, &Outbound{Address: w.serve(t, nil), everywhere: true})
		b.gateway.rcpt = external
		b.submit(agent, 200*time.Millisecond, friend)
		b.run()
		b.untilEmpty()
		if len(w.received) != 0 || len(b.inbox()) != 1 {
			t.Errorf("received %+v, reports %q", w.received, b.inbox())
		}
	})
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestStopsWhileGatewayIsSilent(t *testing.T) {
	b := newBed(t, nil)
	reached, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	b.gateway.rcpt = func(string) error {
		close(reached)
		<-release
		return nil
	}
	b.submit(agent, time.Hour, friend)
	stop := b.run()
	<-reached
	stop()
	if items := b.items(); len(items) != 1 || items[0].Attempts != 0 {
		t.Errorf("items %+v", items) // stopping is not a failed attempt
	}
}

// TestSilenceDoesNotDelayOthers: while the gateway keeps one recipient waiting, another one's next attempt comes in time.
func TestSilenceDoesNotDelayOthers(t *testing.T) {
	b := newBed(t, nil)
	release := make(chan struct{})
	var attempts atomic.Int64
	b.gateway.rcpt = func(to string) error {
		if to == friend {
			<-release
		} else if attempts.Add(1) == 1 {
			return reply(451, 4, 4, 1, "not now")
		}
		return nil
	}
	b.submit(agent, time.Hour, friend, "ama@gouv.tg")
	b.run()
	defer close(release)
	b.until("the other one is sent", func() bool { return len(b.gateway.got()) == 1 })
}

func TestManyAtOnce(t *testing.T) {
	b := newBed(t, nil)
	for range 300 {
		b.submit(agent, time.Hour, friend, "ama@gouv.tg")
	}
	b.run()
	b.untilEmpty()
	seen := map[string]int{}
	for _, r := range b.gateway.got() {
		seen[r.id]++
	}
	if len(seen) != 600 {
		t.Errorf("%d of 600 sent", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s sent %d times", id, n)
		}
	}
}

func TestPause(t *testing.T) {
	for attempts, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 5 * time.Second, 3: 10 * time.Second, 8: 30 * time.Minute, 9: time.Hour, 100: time.Hour,
	} {
		if got := pause(attempts); got < want-want/10 || got > want+want/10 {
			t.Errorf("pause(%d) = %v, want about %v", attempts, got, want)
		}
	}
}

func TestReportOfBrokenInput(t *testing.T) {
	for _, original := range []string{"", "\r\n", "no header", "Message-ID: <a\x00\xff>\r\nX: \xe9\r\n", "Message-ID: " + strings.Repeat("x", 300)} {
		b := newBed(t, nil)
		b.submit(agent, time.Hour, friend)
		r := report{
			hostname: "mail.gouv.tg", item: b.items()[0], original: []byte(original), now: time.Now(),
			failure: &failure{permanent: true, status: "5.0.0", reply: "550 é\r\nBcc: x", remote: "[::1]:25"},
		}
		raw := r.message()
		if _, err := message.Read(bytes.NewReader(raw)); err != nil || bytes.Contains(raw, []byte("\nBcc:")) {
			t.Errorf("%q: %v\n%s", original, err, raw)
		}
	}
}
