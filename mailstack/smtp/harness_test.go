package smtp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/store"
)

const (
	agent     = "afi.mensah@finances.gouv.tg"
	colleague = "kossi.agbeko@finances.gouv.tg"
	shared    = "afi.lawson@gouv.tg"
	full      = "full@finances.gouv.tg"
	former    = "former@finances.gouv.tg"
	fullQuota = 2000
)

var dkimKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// bed is a server on a real store, checked as a whole when the test ends.
type bed struct {
	t      *testing.T
	store  *store.Store
	server *Server
	relay  *fakeRelay
}

func newBed(t *testing.T, change func(*Options)) *bed {
	t.Helper()
	ctx := t.Context()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	specs := []store.AccountSpec{{Address: agent}, {Address: colleague}, {Address: shared}, {Address: full, QuotaBytes: fullQuota}}
	for i, set := range [][]store.AccountSpec{append(specs[:4:4], store.AccountSpec{Address: former}), specs} {
		if _, err := st.ReconcileAccounts(ctx, set, string(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
	}
	b := &bed{t: t, store: st, relay: &fakeRelay{t: t}}
	options := Options{
		Hostname: "mail.gouv.tg", Domains: []string{"finances.gouv.tg"}, SharedDomain: "gouv.tg",
		MaxMessageBytes: 128 << 10, MaxRecipients: 5, Selector: "m1", Key: dkimKey(), QueueLifetime: time.Hour,
		Relay: b.relay, Logger: log,
	}
	if change != nil {
		change(&options)
	}
	b.server = New(st, options)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve() }()
	t.Cleanup(func() {
		b.server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		problems, err := st.Check(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Errorf("store: %v", p)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bed) account(address string) store.Account {
	b.t.Helper()
	a, err := b.store.Account(b.t.Context(), address)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// inbox returns the messages of an account's INBOX.
func (b *bed) inbox(address string) []string {
	b.t.Helper()
	ctx := b.t.Context()
	mailbox, err := b.store.Mailbox(ctx, b.account(address).ID, "INBOX")
	if err != nil {
		b.t.Fatal(err)
	}
	_, messages, err := b.store.Index(ctx, mailbox.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		raw, err := b.store.ReadContent(ctx, m.Content)
		if err != nil {
			b.t.Fatal(err)
		}
		texts = append(texts, string(raw))
	}
	return texts
}

// queued returns the recipients in the queue.
func (b *bed) queued() []string {
	b.t.Helper()
	items, err := b.store.DueItems(b.t.Context(), time.Now().Add(time.Hour), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	var to []string
	for _, item := range items {
		to = append(to, item.Recipient)
	}
	return to
}

func (b *bed) submission(address string) *smtp.Client {
	b.t.Helper()
	client, server := pair(b.t)
	c := streams.NewConn(server, "192.0.2.7:4711")
	c.Account, c.TLSVersion = b.account(address), "1.3"
	go b.server.HandleSubmission(c)
	return b.hello(smtp.NewClient(client))
}

func (b *bed) hello(c *smtp.Client) *smtp.Client {
	b.t.Helper()
	c.CommandTimeout, c.SubmissionTimeout = 20*time.Second, 20*time.Second
	if err := c.Hello("agent.example"); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	return c
}

func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// fakeRelay is a gateway that knows kossi@sante.gouv.tg and ama@gouv.tg, in two other cells, and can be told to fail.
type fakeRelay struct {
	t      *testing.T
	down   bool // no gateway is connected
	silent bool // the gateway breaks the stream at RCPT
	unsure bool // the gateway does not know yet
	opened int
}

func (f *fakeRelay) OpenRelay(context.Context) (net.Conn, error) {
	if f.down {
		return nil, errors.New("no gateway is connected")
	}
	f.opened++
	client, server := pair(f.t)
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &relaySession{relay: f, conn: c}, nil }))
	s.LMTP, s.EnableDSN, s.Domain = true, true, "gateway"
	go s.Serve(&oneListener{conn: server})
	f.t.Cleanup(func() { s.Close() })
	return client, nil
}

type relaySession struct {
	relay *fakeRelay
	conn  *smtp.Conn
	taken bool
}

func (s *relaySession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *relaySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case s.relay.silent:
		s.conn.Conn().Close()
		return nil
	case s.relay.unsure:
		return reply(451, 4, 3, 0, "not known yet")
	case to == "kossi@sante.gouv.tg", to == "ama@gouv.tg":
		if s.taken {
			return reply(452, 4, 5, 3, "one destination at a time")
		}
		s.taken = true
		return nil
	case strings.HasSuffix(to, "gouv.tg"):
		return reply(550, 5, 1, 1, "No such user here")
	}
	return reply(550, 5, 7, 1, "relaying denied")
}

func (s *relaySession) Data(io.Reader) error { panic("a probe sends no data") }
func (s *relaySession) Reset()               { s.taken = false }
func (s *relaySession) Logout() error        { return nil }

// oneListener accepts one connection.
type oneListener struct {
	conn net.Conn
	once sync.Once
}

func (l *oneListener) Accept() (c net.Conn, err error) {
	err = net.ErrClosed
	l.once.Do(func() { c, err = l.conn, nil })
	return c, err
}
func (l *oneListener) Close() error   { return l.conn.Close() }
func (l *oneListener) Addr() net.Addr { return l.conn.LocalAddr() }

// replyOf is the code and enhanced code of an error; "250" for none.
func replyOf(err error) string {
	var wire *smtp.SMTPError
	switch {
	case err == nil:
		return "250"
	case errors.As(err, &wire):
		e := wire.EnhancedCode
		return strings.Join([]string{itoa(wire.Code), itoa(e[0]) + "." + itoa(e[1]) + "." + itoa(e[2])}, " ")
	}
	return err.Error()
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// send sends a whole transaction and returns the first reply that is not positive.
func send(c *smtp.Client, from string, to []string, text string, options *smtp.MailOptions) error {
	if err := c.Mail(from, options); err != nil {
		return err
	}
	for _, r := range to {
		if err := c.Rcpt(r, nil); err != nil {
			c.Reset()
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		return err
	}
	return w.Close()
}

// dkimRecord is the DNS record of the test key.
func dkimRecord(t *testing.T) string {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(dkimKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
}
