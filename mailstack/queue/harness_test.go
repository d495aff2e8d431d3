package queue

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/store"
)

const (
	agent  = "afi.mensah@finances.gouv.tg"
	friend = "kossi.agbeko@sante.gouv.tg"
	letter = "From: afi.mensah@finances.gouv.tg\r\nSubject: x\r\nMessage-ID: <1@finances.gouv.tg>\r\n\r\n.text\r\n"
)

// bed is a queue on a real store, with a gateway that does as the test says.
type bed struct {
	t       *testing.T
	store   *store.Store
	queue   *Queue
	gateway *fakeGateway
}

func newBed(t *testing.T, outbound *Outbound) *bed {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.ReconcileAccounts(t.Context(), []store.AccountSpec{{Address: agent}}, "1"); err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, store: st, gateway: newFakeGateway(t)}
	b.queue = New(st, Options{Hostname: "mail.gouv.tg", Outbound: outbound, Gateways: b.gateway, Logger: log})
	b.queue.pause = func(int) time.Duration { return 20 * time.Millisecond }
	t.Cleanup(func() {
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

// run runs the queue until the test ends, or the result is called.
func (b *bed) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.queue.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	b.t.Cleanup(stop)
	return stop
}

func (b *bed) submit(sender string, lifetime time.Duration, to ...string) {
	b.t.Helper()
	d := store.Delivery{Raw: []byte(letter), Sender: sender}
	for _, r := range to {
		d.Queue = append(d.Queue, store.QueueRecipient{Address: r, Expires: time.Now().Add(lifetime)})
	}
	if _, err := b.store.Deliver(b.t.Context(), d); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) items() []store.QueueItem {
	b.t.Helper()
	items, err := b.store.DueItems(b.t.Context(), time.Now().Add(Lifetime), 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return items
}

// until waits for a condition.
func (b *bed) until(what string, condition func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (b *bed) untilEmpty() {
	b.t.Helper()
	b.until("the queue is empty", func() bool { return len(b.items()) == 0 })
}

// inbox returns the agent's messages.
func (b *bed) inbox() []string {
	b.t.Helper()
	ctx := b.t.Context()
	a, err := b.store.Account(ctx, agent)
	if err != nil {
		b.t.Fatal(err)
	}
	mailbox, err := b.store.Mailbox(ctx, a.ID, "INBOX")
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

// fakeGateway speaks LMTP as on and keeps what it was given.
type fakeGateway struct {
	t *testing.T

	mu         sync.Mutex
	generation uint64
	up         bool
	changed    chan struct{}
	received   []received
	mails      int
	mail       func(n int) error // n counts from 1
	rcpt       func(to string) error
	data       func(n int) error // after the message is kept; errLost drops the stream
}

type received struct{ from, to, id, raw string }

var errLost = errors.New("stream is dropped")

func newFakeGateway(t *testing.T) *fakeGateway {
	return &fakeGateway{t: t, up: true, generation: 1, changed: make(chan struct{})}
}

func (g *fakeGateway) Connected() (uint64, bool, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.generation, g.up, g.changed
}

func (g *fakeGateway) connect(up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up = up; up {
		g.generation++
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *fakeGateway) got() []received {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]received(nil), g.received...)
}

func (g *fakeGateway) OpenRelay(context.Context) (net.Conn, error) {
	g.mu.Lock()
	up := g.up
	g.mu.Unlock()
	if !up {
		return nil, errors.New("no gateway is connected")
	}
	client, server := pair(g.t)
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &gatewaySession{gateway: g, conn: c}, nil }))
	s.LMTP, s.EnableDSN, s.Domain = true, true, "gateway"
	s.ErrorLog = quiet{}
	go s.Serve(&oneListener{conn: server})
	g.t.Cleanup(func() { s.Close() })
	return client, nil
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type gatewaySession struct {
	gateway *fakeGateway
	conn    *smtp.Conn
	r       received
}

func (s *gatewaySession) Mail(from string, o *smtp.MailOptions) error {
	s.r = received{from: from, id: o.EnvelopeID}
	s.gateway.mu.Lock()
	s.gateway.mails++
	n := s.gateway.mails
	s.gateway.mu.Unlock()
	if s.gateway.mail != nil {
		return s.gateway.mail(n)
	}
	return nil
}

func (s *gatewaySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.r.to = to
	if s.gateway.rcpt != nil {
		return s.gateway.rcpt(to)
	}
	return nil
}

func (s *gatewaySession) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.r.raw = string(raw)
	s.gateway.mu.Lock()
	s.gateway.received = append(s.gateway.received, s.r)
	n := len(s.gateway.received)
	s.gateway.mu.Unlock()
	if s.gateway.data != nil {
		if err = s.gateway.data(n); errors.Is(err, errLost) {
			s.conn.Conn().Close()
		}
	}
	status.SetStatus(s.r.to, err)
	return nil
}

func (s *gatewaySession) Data(io.Reader) error { panic("LMTP") }
func (s *gatewaySession) Reset()               {}
func (s *gatewaySession) Logout() error        { return nil }

func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return nil, nil
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err == nil {
		server, err = l.Accept()
	}
	if err != nil {
		t.Error(err)
	}
	return client, server
}

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

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// world is an outbound relay.
type world struct {
	mu       sync.Mutex
	received []received
}

func (w *world) serve(t *testing.T, change func(*smtp.Server)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &worldSession{world: w, conn: c}, nil }))
	s.Domain, s.ErrorLog = "relay", quiet{}
	if change != nil {
		change(s)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

type worldSession struct {
	world *world
	conn  *smtp.Conn
	r     received
}

func (s *worldSession) Mail(from string, _ *smtp.MailOptions) error {
	s.r.from = from
	return nil
}

func (s *worldSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.r.to = to
	if strings.HasPrefix(to, "nobody@") {
		return reply(550, 5, 1, 1, "no such user out there")
	}
	return nil
}

func (s *worldSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	s.r.raw = string(raw)
	if _, secure := s.conn.TLSConnectionState(); secure {
		s.r.id = "TLS"
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.received = append(s.world.received, s.r)
	return err
}

func (s *worldSession) Reset()        {}
func (s *worldSession) Logout() error { return nil }
