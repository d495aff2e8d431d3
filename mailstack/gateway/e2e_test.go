package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/link/linktest"
	"gouv.tg/messagerie/mailstack/sasl/sasltest"
)

const secret = "motdepasse é"

// government is a gateway and cells, whole, in this process.
type government struct {
	t     *testing.T
	ca    *linktest.Authority
	ports map[string]string // of the gateway: host:port by listener
	cells map[string]string // host:port of each cell's metrics, by ministry

	provider *sasltest.Provider // whose tokens the cells accept
}

// freePorts finds n addresses that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// background runs a role until the test ends.
func background(t *testing.T, name string, config any, run func(context.Context, string, *slog.Logger) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".json")
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(t.Output(), nil)).With("role", name)
	go func() { ended <- run(ctx, path, log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

func newGovernment(t *testing.T, ministries map[string][]string) *government {
	t.Helper()
	g := &government{t: t, ca: linktest.NewAuthority(t), cells: map[string]string{}, provider: sasltest.NewProvider(t)}
	hash, err := directory.Hash(secret)
	if err != nil {
		t.Fatal(err)
	}
	var routes []map[string]any
	for name, addresses := range ministries {
		ports := freePorts(t, 3)
		socket := filepath.Join(t.TempDir(), "admin.sock")
		own := name + ".gouv.tg"
		g.cells[name] = ports[2]
		background(t, name, map[string]any{
			"ministry": name, "domains": []string{own}, "sharedDomain": "gouv.tg", "hostname": "mail.gouv.tg",
			"dataDir": t.TempDir(), "linkDir": g.ca.Dir(link.CellURI(name)), "adminSocket": socket,
			"listen":          map[string]string{"link": ports[0], "admin": ports[1], "health": ports[2]},
			"maxMessageBytes": 1 << 20, "maxRecipients": 10, "services": []string{"IMAP", "Submission"},
			"outbound": map[string]string{"mode": "Disabled"},
			"oauth":    map[string]string{"issuer": sasltest.Issuer, "audience": sasltest.Audience, "keysFile": g.provider.KeysFile},
		}, cell.Run)
		routes = append(routes, map[string]any{"ministry": name, "address": ports[0], "domains": []string{own}})
		var accounts []admin.Account
		for _, a := range addresses {
			accounts = append(accounts, admin.Account{Address: a, Password: hash})
		}
		g.until("accounts of "+name, func() error {
			client := admin.NewUnixClient(socket)
			defer client.Close()
			_, err := client.PutAccounts(t.Context(), accounts)
			return err
		})
	}
	ports := freePorts(t, 7)
	g.ports = map[string]string{"smtp": ports[0], "lmtp": ports[1], "submission": ports[2], "submissions": ports[3],
		"imap": ports[4], "imaps": ports[5], "health": ports[6]}
	background(t, "gateway", map[string]any{
		"hostname": "mail.gouv.tg", "sharedDomain": "gouv.tg", "tlsDir": g.ca.Dir("mail.gouv.tg"), "linkDir": g.ca.Dir(link.GatewayURI),
		"listen": g.ports, "trustedNetworks": []string{"127.0.0.0/8"}, "maxMessageBytes": 1 << 20,
		"routes": map[string]any{"static": routes},
	}, gateway.Run)
	g.until("links", func() error {
		resp, err := http.Get("http://" + g.ports["health"] + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		if want := fmt.Sprintf("messagerie_gateway_routes{kind=\"cells_synced\"} %d\n", len(ministries)); !strings.Contains(b.String(), want) {
			return errors.New("not all directories are there")
		}
		return nil
	})
	return g
}

func (g *government) until(what string, try func() error) {
	g.t.Helper()
	var err error
	for range 1000 {
		if err = try(); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Fatalf("never: %s: %v", what, err)
}

func (g *government) tls() *tls.Config {
	return &tls.Config{RootCAs: g.ca.Pool(), ServerName: "mail.gouv.tg"}
}

// submit sends a message over STARTTLS and AUTH.
func (g *government) submit(user, from string, to []string, message string) error {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.ports["submission"])
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := gosmtp.NewClientStartTLS(conn, g.tls())
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", user, secret)); err != nil {
		return err
	}
	return c.SendMail(from, to, strings.NewReader(message))
}

// login opens an IMAP session over TLS.
func (g *government) login(user string) *imapclient.Client {
	g.t.Helper()
	c, err := imapclient.DialTLS(g.ports["imaps"], &imapclient.Options{TLSConfig: g.tls()})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	if err := c.Login(user, secret).Wait(); err != nil {
		g.t.Fatal(err)
	}
	return c
}

// message waits for the only message of an INBOX and returns its text.
func (g *government) message(user string) string {
	g.t.Helper()
	c := g.login(user)
	g.until("mail for "+user, func() error {
		data, err := c.Select("INBOX", nil).Wait()
		if err == nil && data.NumMessages != 1 {
			err = fmt.Errorf("%d messages", data.NumMessages)
		}
		return err
	})
	section := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(msgs) != 1 {
		g.t.Fatalf("FETCH: %d messages, %v", len(msgs), err)
	}
	if err := c.Logout().Wait(); err != nil {
		g.t.Error(err)
	}
	return string(msgs[0].FindBodySection(section))
}

// TestMinistryToMinistry is the whole road of one message.
func TestMinistryToMinistry(t *testing.T) {
	g := newGovernment(t, map[string][]string{
		"finances": {"afi@gouv.tg", "kofi@finances.gouv.tg"},
		"sante":    {"ama@gouv.tg", "yao@sante.gouv.tg"},
	})
	text := "From: <afi@gouv.tg>\r\nTo: <ama@gouv.tg>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@gouv.tg>\r\nSubject: bonjour\r\n\r\n" +
		".point\r\n\xc3\xa9t\xc3\xa9 " + strings.Repeat("x", 900) + "\r\n" + strings.Repeat("ligne\r\n", 20000)
	if err := g.submit("afi@gouv.tg", "afi@gouv.tg", []string{"ama@gouv.tg", "yao@sante.gouv.tg", "kofi@finances.gouv.tg"}, text); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ama@gouv.tg", "yao@sante.gouv.tg", "kofi@finances.gouv.tg"} {
		got := g.message(user)
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		_, want, _ := strings.Cut(text, "\r\n\r\n")
		if body != want || !strings.Contains(head, "Subject: bonjour") || !strings.Contains(head, "Received: ") {
			t.Errorf("%s reads %d bytes: %.300q", user, len(got), got)
		}
	}
	// From outside, and what is refused.
	mx, err := gosmtp.Dial(g.ports["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer mx.Close()
	if err := mx.SendMail("someone@example.com", []string{"afi@gouv.tg"}, strings.NewReader("Subject: hello\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if got := g.message("afi@gouv.tg"); !strings.HasSuffix(got, "Subject: hello\r\n\r\nx\r\n") || !strings.Contains(got, "by mail.gouv.tg with ESMTP id ") {
		t.Errorf("read %q", got)
	}
	for name, tc := range map[string]struct {
		err  error
		code int
	}{
		"sender of another ministry": {g.submit("afi@gouv.tg", "ama@gouv.tg", []string{"ama@gouv.tg"}, text), 550},
		"sender of a colleague":      {g.submit("afi@gouv.tg", "kofi@finances.gouv.tg", []string{"ama@gouv.tg"}, text), 550},
		"unknown colleague":          {g.submit("afi@gouv.tg", "afi@gouv.tg", []string{"nobody@finances.gouv.tg"}, text), 550},
		"external":                   {g.submit("afi@gouv.tg", "afi@gouv.tg", []string{"x@example.com"}, text), 550},
		"unknown account":            {g.submit("nobody@gouv.tg", "nobody@gouv.tg", []string{"ama@gouv.tg"}, text), 535},
		"relaying":                   {mx.SendMail("someone@example.com", []string{"x@example.com"}, strings.NewReader("x")), 550},
	} {
		var e *gosmtp.SMTPError
		if !errors.As(tc.err, &e) || e.Code != tc.code {
			t.Errorf("%s: %v, want %d", name, tc.err, tc.code)
		}
	}
}
