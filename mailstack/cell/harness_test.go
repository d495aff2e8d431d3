package cell

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/handover"
	"gouv.tg/messagerie/mailstack/sasl"
)

// authority issues certificates into directories.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue writes tls.crt, tls.key and ca.crt for an identity and returns their directory.
func (a *authority) issue(uri string) string {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	name, err := url.Parse(uri)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	dir := a.t.TempDir()
	write(a.t, filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(a.t, filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	write(a.t, filepath.Join(dir, "ca.crt"), a.pem)
	return dir
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

var dkimPEM = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
})

// testCell is a cell that runs as stackd runs it, from its configuration file.
type testCell struct {
	*cell
	t     *testing.T
	admin *admin.Client
	dir   string
	stop  func() // an orderly stop; the store is checked
}

func testConfig(t *testing.T, ca *authority, ministry string) Config {
	t.Helper()
	key := filepath.Join(t.TempDir(), "dkim.key")
	write(t, key, dkimPEM())
	return Config{
		Ministry: ministry, Domains: []string{ministry + ".gouv.tg"}, SharedDomain: "gouv.tg", Hostname: "mail.gouv.tg",
		DataDir: t.TempDir(), LinkDir: ca.issue(link.CellURI(ministry)), AdminSocket: filepath.Join(t.TempDir(), "admin.sock"),
		Listen:          Listen{Link: "127.0.0.1:0", Admin: "127.0.0.1:0", Health: "127.0.0.1:0"},
		MaxMessageBytes: 1 << 20, MaxRecipients: 100, DKIM: DKIM{Selector: "m1", KeyFile: key},
		Services: []string{link.ServiceIMAP, link.ServiceSubmission}, Security: Security{MinTLSVersion: "1.2"},
	}
}

// startCell starts a cell from a configuration that makes the round through a file.
func startCell(t *testing.T, config Config) *testCell {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cell.json")
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
	if config, err = LoadConfig(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c, err := start(ctx, config, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	tc := &testCell{cell: c, t: t, admin: admin.NewUnixClient(config.AdminSocket), dir: config.DataDir}
	tc.stop = sync.OnceFunc(func() {
		problems, err := c.store.Check(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Errorf("store: %v", p)
		}
		tc.admin.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(tc.stop)
	return tc
}

const password = "correct horse"

var passwordHash = sync.OnceValue(func() string {
	hash, err := directory.Hash(password)
	if err != nil {
		panic(err)
	}
	return hash
})

func (c *testCell) accounts(addresses ...string) {
	c.t.Helper()
	var accounts []admin.Account
	for _, a := range addresses {
		accounts = append(accounts, admin.Account{Address: a, Password: passwordHash()})
	}
	if _, err := c.admin.PutAccounts(c.t.Context(), accounts); err != nil {
		c.t.Fatal(err)
	}
}

// inbox returns the messages of an account's INBOX.
func (c *testCell) inbox(address string) []string {
	c.t.Helper()
	ctx := context.Background()
	a, err := c.store.Account(ctx, address)
	if err != nil {
		c.t.Fatal(err)
	}
	mailbox, err := c.store.Mailbox(ctx, a.ID, "INBOX")
	if err != nil {
		c.t.Fatal(err)
	}
	_, messages, err := c.store.Index(ctx, mailbox.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		raw, err := c.store.ReadContent(ctx, m.Content)
		if err != nil {
			c.t.Fatal(err)
		}
		texts = append(texts, string(raw))
	}
	return texts
}

// gateway is the other end of the links: it hands what comes on the relay streams of one cell to another.
type gateway struct {
	t      *testing.T
	tls    *tls.Config
	target *link.Session // where relay streams lead; nil: refused

	mu   sync.Mutex
	lose int // so many replies to messages are lost
}

func newGateway(t *testing.T, ca *authority, ministry string) *gateway {
	t.Helper()
	config, err := link.ClientConfig(ca.issue(link.GatewayURI), link.CellURI(ministry))
	if err != nil {
		t.Fatal(err)
	}
	return &gateway{t: t, tls: config}
}

func (g *gateway) connect(c *testCell) *link.Session {
	g.t.Helper()
	s, err := link.Dial(g.t.Context(), c.linkListen.Addr().String(), g.tls)
	if err != nil {
		g.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(context.Background(), func(_ context.Context, st *link.Stream) { g.relay(st) })
	}()
	g.t.Cleanup(func() {
		s.Close()
		<-done
	})
	return s
}

func (g *gateway) relay(from *link.Stream) {
	if g.target == nil {
		return
	}
	to, err := g.target.Open(link.Header{Protocol: link.ProtocolDelivery})
	if err != nil {
		return
	}
	defer to.Close()
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &relayed{gateway: g, conn: c, to: handover.NewClient(to)}, nil
	}))
	server.LMTP, server.EnableDSN, server.Domain = true, true, "gateway"
	defer server.Close()
	listener := streams.NewListener("relay")
	defer listener.Close()
	go server.Serve(listener)
	_ = listener.Serve(streams.NewConn(from, ""))
}

// relayed hands on what a relay stream brings.
type relayed struct {
	gateway *gateway
	conn    *smtp.Conn
	to      *handover.Client
	path    string // of the one recipient
}

func (r *relayed) Mail(from string, o *smtp.MailOptions) error {
	r.to.Mail(handover.Mail{Hello: r.conn.Hostname(), From: from, Size: o.Size, EnvelopeID: o.EnvelopeID})
	return nil
}

func (r *relayed) Rcpt(to string, _ *smtp.RcptOptions) error {
	r.path = to
	return r.to.Rcpt(to)
}

func (r *relayed) Data(io.Reader) error { panic("LMTP") }

func (r *relayed) LMTPData(text io.Reader, status smtp.StatusCollector) error {
	replies, err := r.to.Data("", text)
	if err != nil {
		return err
	}
	r.gateway.mu.Lock()
	lost := r.gateway.lose > 0
	if lost {
		r.gateway.lose--
	}
	r.gateway.mu.Unlock()
	if lost { // the target has answered: it has the message, and nobody will know
		r.conn.Close()
		return io.ErrClosedPipe
	}
	status.SetStatus(r.path, replies[0])
	return nil
}

func (r *relayed) Reset()        { r.to.Reset() }
func (r *relayed) Logout() error { return nil }

// login asks for a verdict.
func login(t *testing.T, s *link.Session, h link.Header, r link.AuthRequest) link.AuthResponse {
	t.Helper()
	h.Protocol = link.ProtocolAuth
	st, err := s.Open(h)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	st.SetDeadline(time.Now().Add(20 * time.Second))
	if err := link.WriteFrame(st, r); err != nil {
		t.Fatal(err)
	}
	var response link.AuthResponse
	if err := link.ReadFrame(st, &response); err != nil {
		t.Fatal(err)
	}
	return response
}

// session logs in and opens the stream.
func session(t *testing.T, s *link.Session, user, service, protocol string) *link.Stream {
	t.Helper()
	h := link.Header{RemoteAddr: "192.0.2.7:4711", TLSVersion: "1.3"}
	response := login(t, s, h, link.AuthRequest{Service: service, Mechanism: sasl.Plain, User: user, Password: password})
	if !response.OK {
		t.Fatalf("login of %s: %+v", user, response)
	}
	h.Protocol, h.User, h.Ticket = protocol, user, response.Ticket
	st, err := s.Open(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}
