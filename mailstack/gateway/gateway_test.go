package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
)

// world is a gateway and some cells.
type world struct {
	*Gateway
	t    *testing.T
	ca   *linktest.Authority
	stop func()
	set  func([]route.Cell)
}

// pushed is a route.Source that a test speaks through.
type pushed chan func([]route.Cell)

func (p pushed) Watch(ctx context.Context, set func([]route.Cell)) error {
	p <- set
	<-ctx.Done()
	return nil
}

// newWorld starts a gateway without routes. change may alter its configuration.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	ca := linktest.NewAuthority(t)
	any := "127.0.0.1:0"
	config := &Config{
		Hostname: "mail.gouv.tg", SharedDomain: "gouv.tg",
		TLSDir: ca.Dir("mail.gouv.tg"), LinkDir: ca.Dir(link.GatewayURI),
		Listen:          Listen{any, any, any, any, any, any, any},
		TrustedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		MaxMessageBytes: 1 << 20, MaxRecipients: 5, MaxConnections: 100, MaxConnectionsPerAddress: 90,
		Routes: Routes{Static: []StaticRoute{}},
	}
	if change != nil {
		change(config)
	}
	if err := config.check(); err != nil {
		t.Fatal(err)
	}
	g, err := New(config, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	source := make(pushed)
	g.source = source
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	w := &world{Gateway: g, t: t, ca: ca}
	select {
	case w.set = <-source:
	case err := <-ended:
		t.Fatal(err)
	}
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(w.stop)
	w.until("the gateway is up", g.up.Load)
	return w
}

// until waits for a condition that is sure to come.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("never: " + what)
}

// join routes to cells and waits until their directories are there.
func (w *world) join(cells ...*fakeCell) {
	w.t.Helper()
	w.route(cells...)
	w.until("all directories are there", func() bool {
		st := w.table.Stats()
		return st.Cells == len(cells) && st.Synced == len(cells)
	})
}

func (w *world) route(cells ...*fakeCell) {
	var routes []route.Cell
	for _, c := range cells {
		routes = append(routes, route.Cell{Ministry: c.ministry, Address: c.address, Domains: []string{c.ministry + ".gouv.tg"}})
	}
	w.set(routes)
}

func (w *world) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: w.ca.Pool(), ServerName: "mail.gouv.tg"}
}

// dialogue is a connection that a test writes lines to and reads replies from.
type dialogue struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (w *world) dial(listener string) *dialogue {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addresses()[listener])
	if err != nil {
		w.t.Fatal(err)
	}
	d := &dialogue{t: w.t}
	d.use(conn)
	w.t.Cleanup(func() { d.conn.Close() })
	if strings.HasSuffix(listener, "s") {
		d.tls(w)
	}
	return d
}

func (d *dialogue) use(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	d.conn, d.r = conn, bufio.NewReader(conn)
}

func (d *dialogue) tls(w *world) {
	d.t.Helper()
	c := tls.Client(d.conn, w.tlsConfig())
	if err := c.Handshake(); err != nil {
		d.t.Fatal(err)
	}
	d.use(c)
}

func (d *dialogue) send(format string, args ...any) {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.conn, format, args...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dialogue) line() string {
	d.t.Helper()
	s, err := d.r.ReadString('\n')
	if err != nil {
		d.t.Fatalf("read %q, %v", s, err)
	}
	if !strings.HasSuffix(s, "\r\n") {
		d.t.Errorf("line %q does not end with CRLF", s)
	}
	return strings.TrimSuffix(s, "\r\n")
}

// closed expects the end of the connection.
func (d *dialogue) closed() {
	d.t.Helper()
	if b, err := io.ReadAll(d.r); len(b) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
		d.t.Errorf("read %q, %v; want the end", b, err)
	}
}

var smtpLast = regexp.MustCompile(`^\d{3}( |$)`)

// reply reads a whole SMTP reply.
func (d *dialogue) reply() string {
	d.t.Helper()
	var all []string
	for {
		l := d.line()
		all = append(all, l)
		if smtpLast.MatchString(l) {
			return strings.Join(all, "\n")
		}
	}
}

// smtp sends a command and expects a reply that starts with want.
func (d *dialogue) smtp(command, want string) string {
	d.t.Helper()
	if command != "" {
		d.send("%s\r\n", command)
	}
	got := d.reply()
	if !strings.HasPrefix(got, want) {
		d.t.Errorf("%.80q is answered %.200q, want %q", command, got, want)
	}
	return got
}

func TestHealth(t *testing.T) {
	w := newWorld(t, nil)
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + w.addresses()["health"] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthz is %d", code)
	}
	if code, _ := get("/readyz"); code != 503 {
		t.Errorf("readyz without routes is %d", code)
	}
	w.join(newFakeCell(t, w.ca, "a", "x@gouv.tg"))
	if code, body := get("/readyz"); code != 200 {
		t.Errorf("readyz is %d %s", code, body)
	}
	d := w.dial("smtp")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("MAIL FROM:<>", "250")
	d.smtp("RCPT TO:<nobody@gouv.tg>", "550")
	d.smtp("RCPT TO:<x@gouv.tg>", "250")
	d.smtp("DATA", "354")
	d.smtp("a: b\r\n\r\n.", "250")
	d = w.dial("submissions")
	d.smtp("", "220")
	d.smtp("EHLO x", "250")
	d.smtp("AUTH PLAIN "+plain("x@gouv.tg", "wrong"), "535")
	d.smtp("AUTH PLAIN "+plain("x@gouv.tg", fakePassword), "235")
	d.smtp("MAIL FROM:<x@gouv.tg>", "250")
	d.smtp("RCPT TO:<x@gouv.tg>", "250")
	d.smtp("DATA", "354")
	d.smtp("a: b\r\n\r\n.", "250")
	d = w.dial("imaps")
	d.line()
	d.imap("a LOGIN x@gouv.tg "+fakePassword, "a OK [CAPABILITY IMAP4rev1 IDLE] Logged in")
	_, body := get("/metrics")
	for _, want := range []string{
		`messagerie_gateway_connections_total{listener="smtp"} 1`,
		`messagerie_gateway_link_up{ministry="a"} 1`,
		`messagerie_gateway_routes{kind="addresses"} 1`,
		`messagerie_gateway_messages_total{listener="smtp",result="accepted"} 1`,
		`messagerie_gateway_messages_total{listener="submission",result="accepted"} 1`,
		`messagerie_gateway_recipients_total{listener="smtp",result="refused"} 1`,
		`messagerie_gateway_logins_total{protocol="imap",verdict="ok"} 1`,
		`messagerie_gateway_logins_total{protocol="submission",verdict="ok"} 1`,
		`messagerie_gateway_logins_total{protocol="submission",verdict="refused"} 1`,
		`messagerie_gateway_connections{listener="imaps"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("metrics lack %s:\n%s", want, body)
		}
	}
	if w.counters.traffic.Read.Load() < 1000 || w.counters.traffic.Sent.Load() < 1000 {
		t.Error("bytes of agents are not counted")
	}
}
