package smtp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
)

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// backend keeps the messages it accepts. Recipients at "no" are refused.
type backend struct {
	mu       sync.Mutex
	messages [][]byte
}

func (b *backend) NewSession(*server.Conn) (server.Session, error) { return &session{backend: b}, nil }

type session struct {
	backend *backend
	to      []string
}

func (s *session) AuthMechanisms() []string { return []string{"PLAIN"} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "agent" || password != "right" {
			return server.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Mail(string, *server.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *server.RcptOptions) error {
	if strings.HasSuffix(to, "@no.example") {
		return &server.SMTPError{Code: 550, EnhancedCode: server.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.backend.mu.Lock()
	s.backend.messages = append(s.backend.messages, data)
	s.backend.mu.Unlock()
	return err
}

func (s *session) LMTPData(r io.Reader, status server.StatusCollector) error {
	if err := s.Data(r); err != nil {
		return err
	}
	for _, to := range s.to {
		var err error
		if strings.HasPrefix(to, "full@") {
			err = &server.SMTPError{Code: 452, EnhancedCode: server.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
		}
		status.SetStatus(to, err)
	}
	return nil
}

func (s *session) Reset()        { s.to = nil }
func (s *session) Logout() error { return nil }

func start(t *testing.T, lmtp, implicit bool) (*backend, string) {
	t.Helper()
	b := &backend{}
	s := server.NewServer(b)
	s.Domain, s.LMTP, s.AllowInsecureAuth = "mx.example", lmtp, true
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, s.TLSConfig)
	}
	go s.Serve(listener)
	t.Cleanup(func() { s.Close() })
	return b, address
}

// What is sent arrives to the octet, whatever its dots and length, over each kind of session and from one
// transaction to the next.
func TestMessagesArrive(t *testing.T) {
	for name, security := range map[string]smtp.Security{"plain": smtp.Plain, "STARTTLS": smtp.StartTLS, "implicit TLS": smtp.ImplicitTLS} {
		t.Run(name, func(t *testing.T) {
			b, address := start(t, false, security == smtp.ImplicitTLS)
			client, err := smtp.Dial(t.Context(), &wire.Dialer{TLS: insecure()}, address, smtp.Options{Security: security})
			if err != nil {
				t.Fatal(err)
			}
			if client.Conn().TLS() != (security != smtp.Plain) {
				t.Fatalf("TLS: %v", client.Conn().TLS())
			}
			if err := client.Auth(t.Context(), "agent", "right"); err != nil {
				t.Fatal(err)
			}
			random := mathrand.New(mathrand.NewPCG(1, 2))
			var want [][]byte
			for range 60 {
				message := compose(random)
				want = append(want, message)
				receipt, err := client.Send(t.Context(), "agent@x.example", []string{"a@x.example", "b@no.example"}, message)
				if err != nil || receipt.Refused["b@no.example"].Class() != "550 5.1.1" || len(receipt.Refused) != 1 {
					t.Fatalf("found %+v, %v", receipt, err)
				}
				// A refused transaction between leaves the session usable.
				if _, err := client.Send(t.Context(), "agent@x.example", []string{"c@no.example"}, message); err == nil {
					t.Fatal("sent to nobody")
				}
			}
			if err := client.Quit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(b.messages) != len(want) {
				t.Fatalf("%d messages arrived; accepted is %d", len(b.messages), len(want))
			}
			for i := range want {
				if !bytes.Equal(b.messages[i], want[i]) {
					t.Fatalf("message %d: found %q; accepted is %q", i, b.messages[i], want[i])
				}
			}
		})
	}
}

// compose makes a message of lines with many dots; some are longer than the connection's buffers.
func compose(random *mathrand.Rand) []byte {
	var message []byte
	for range random.IntN(400) {
		for range random.IntN(3) {
			message = append(message, '.')
		}
		message = append(message, strings.Repeat("ex. ", random.IntN(30))...)
		message = append(message, "\r\n"...)
	}
	return append(message, "end.\r\n"...)
}

func TestAuthRefused(t *testing.T) {
	_, address := start(t, false, false)
	client, err := smtp.Dial(t.Context(), &wire.Dialer{}, address, smtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var refusal *smtp.Error
	if err := client.Auth(t.Context(), "agent", "wrong"); !errors.As(err, &refusal) || refusal.Code != 535 {
		t.Fatalf("found %v", err)
	}
}

func TestLMTP(t *testing.T) {
	b, address := start(t, true, false)
	client, err := smtp.Dial(t.Context(), &wire.Dialer{}, address, smtp.Options{LMTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range 3 {
		receipt, err := client.Send(t.Context(), "", []string{"full@x.example", "a@no.example", "b@x.example"}, []byte("hello\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s, %s, %d", receipt.Refused["full@x.example"].Class(), receipt.Refused["a@no.example"].Class(), len(receipt.Refused))
		if got != "452 4.2.2, 550 5.1.1, 2" {
			t.Fatalf("transaction %d: found %s", i, got)
		}
	}
	if len(b.messages) != 3 {
		t.Fatalf("%d messages", len(b.messages))
	}
}

// Many recipients go out in several groups, whose replies are read in between.
func TestManyRecipients(t *testing.T) {
	b, address := start(t, false, false)
	client, err := smtp.Dial(t.Context(), &wire.Dialer{}, address, smtp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var to []string
	for i := range 1000 {
		domain := "x.example"
		if i%2 == 1 {
			domain = "no.example"
		}
		to = append(to, fmt.Sprintf("agent%d@%s", i, domain))
	}
	receipt, err := client.Send(t.Context(), "s@x.example", to, []byte("hello\r\n"))
	if err != nil || len(receipt.Refused) != 500 || len(b.messages) != 1 {
		t.Fatalf("%d refused, %d messages, %v", len(receipt.Refused), len(b.messages), err)
	}
}
