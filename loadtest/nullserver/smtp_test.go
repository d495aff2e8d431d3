package nullserver_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/loadtest/nullserver"
)

func send(t testing.TB, address, from string, to []string, message string) {
	t.Helper()
	c, err := smtp.Dial(address)
	must(t, err)
	defer c.Close()
	must(t, c.SendMail(from, to, strings.NewReader(message)))
	must(t, c.Quit())
}

func TestSubmission(t *testing.T) {
	o, client := withTLS(nullserver.Options{Accounts: func(user, password string) bool { return password == "secret" }})
	s := start(t, o)
	dial := map[string]func() (*smtp.Client, error){
		"starttls": func() (*smtp.Client, error) { return smtp.DialStartTLS(s.Endpoints()["submission"], client) },
		"implicit": func() (*smtp.Client, error) { return smtp.DialTLS(s.Endpoints()["submissions"], client) },
	}
	for name, open := range dial {
		t.Run(name, func(t *testing.T) {
			c, err := open()
			must(t, err)
			defer c.Close()
			for _, extension := range []string{"PIPELINING", "8BITMIME", "SIZE", "ENHANCEDSTATUSCODES", "CHUNKING", "AUTH"} {
				if ok, _ := c.Extension(extension); !ok {
					t.Errorf("%s is not announced", extension)
				}
			}
			refused(t, c.Mail("a@x.test", nil), 530)
			refused(t, c.Auth(sasl.NewPlainClient("", "a@x.test", "wrong")), 535)
			must(t, c.Auth(sasl.NewPlainClient("", "a@x.test", "secret")))
			refused(t, c.Mail("a@x.test", &smtp.MailOptions{Size: 1 << 40}), 552)
			refused(t, c.Rcpt("b@x.test", nil), 503)
			must(t, c.Reset())
			must(t, c.SendMail("a@x.test", []string{"b@x.test", "c@x.test"}, strings.NewReader(letter)))
			must(t, c.Noop())
			must(t, c.Quit())
		})
	}
	if n := s.Counts(); n.Accepted != 2 || n.Delivered != 4 {
		t.Errorf("%+v", n)
	}
}

func refused(t *testing.T, err error, code int) {
	t.Helper()
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) || reply.Code != code {
		t.Errorf("%v; %d expected", err, code)
	}
}

func TestLMTP(t *testing.T) {
	s := start(t, nullserver.Options{Keep: true})
	dialed, err := dialLMTP(s.Endpoints()["lmtp"])
	must(t, err)
	defer dialed.Close()
	must(t, dialed.Mail("a@x.test", nil))
	must(t, dialed.Rcpt("b@x.test", nil))
	must(t, dialed.Rcpt("c@x.test", nil))
	w, err := dialed.Data()
	must(t, err)
	_, err = io.WriteString(w, letter)
	must(t, err)
	answers, err := w.CloseWithLMTPResponse()
	must(t, err)
	if len(answers) != 2 {
		t.Errorf("%d answers for two recipients", len(answers))
	}
	body := &imap.FetchItemBodySection{}
	got := fetch(t, login(t, s, "C@x.test", nil), all(), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{body}})
	if len(got) != 1 || string(got[0].FindBodySection(body)) != letter {
		t.Errorf("%+v", got)
	}
}

// What goes in by SMTP comes out of IMAP, byte for byte, dots and lone line ends included.
func TestSameBytes(t *testing.T) {
	s := start(t, nullserver.Options{Keep: true})
	random := rand.New(rand.NewPCG(1, 2))
	c := login(t, s, "b@x.test", nil)
	body := &imap.FetchItemBodySection{Peek: true}
	for i := range 30 {
		message := letter
		for range random.IntN(4000) {
			message += []string{".", "x", "\r\n", "..", "abc", "\r\n.", "é", " "}[random.IntN(8)]
		}
		message += "\r\n"
		send(t, s.Endpoints()["smtp"], "a@x.test", []string{"b@x.test"}, message)
		must(t, c.Noop().Wait())
		got := fetch(t, c, imap.UIDSetNum(imap.UID(i+1)), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{body}})
		if len(got) != 1 || string(got[0].FindBodySection(body)) != message {
			t.Fatalf("message %d differs", i)
		}
	}
}

func dialLMTP(address string) (*smtp.Client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return smtp.NewClientLMTP(conn), nil
}
