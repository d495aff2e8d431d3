package cell

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/link"
)

const (
	agent  = "afi.mensah@finances.gouv.tg"
	friend = "kossi.agbeko@sante.gouv.tg"
	letter = "From: afi.mensah@finances.gouv.tg\r\nTo: kossi.agbeko@sante.gouv.tg\r\nSubject: x\r\n\r\ntext\r\n"
)

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func submit(t *testing.T, s *link.Session, from, to, text string) error {
	t.Helper()
	c := smtp.NewClient(session(t, s, from, link.ServiceSubmission, link.ProtocolSubmission))
	defer c.Close()
	return c.SendMail(from, []string{to}, strings.NewReader(text))
}

// TestFromMinistryToMinistry sends a message through two cells and reads it over IMAP, where IDLE tells of it; some
// replies on the way are lost.
func TestFromMinistryToMinistry(t *testing.T) {
	ca := newAuthority(t)
	finances, sante := startCell(t, testConfig(t, ca, "finances")), startCell(t, testConfig(t, ca, "sante"))
	finances.accounts(agent)
	sante.accounts(friend)
	to := newGateway(t, ca, "sante")
	from := newGateway(t, ca, "finances")
	from.target = to.connect(sante)
	source := from.connect(finances)

	exists := make(chan uint32, 10)
	c := imapclient.New(session(t, from.target, friend, link.ServiceIMAP, link.ProtocolIMAP), &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		}},
	})
	defer c.Close()
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if err := submit(t, source, agent, friend, letter); err != nil {
		t.Fatal(err)
	}
	select {
	case n := <-exists:
		if n != 1 {
			t.Errorf("IDLE tells of %d messages", n)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("message did not arrive")
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Fatal(err)
	}
	section := &imap.FetchItemBodySection{Peek: true}
	got, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(got[0].FindBodySection(section)); !strings.HasSuffix(text, letter) || !strings.Contains(text, "d=finances.gouv.tg") {
		t.Errorf("fetched %q", text)
	}

	from.mu.Lock()
	from.lose = 2
	from.mu.Unlock()
	if err := submit(t, source, agent, friend, letter); err != nil {
		t.Fatal(err)
	}
	until(t, "the queue is empty", func() bool {
		stats, err := finances.store.Stats(t.Context())
		return err == nil && stats.QueueLength == 0
	})
	if n := len(sante.inbox(friend)); n != 2 {
		t.Errorf("%d messages, want 2: one was delivered %d times", n, n-1)
	}
	if err := submit(t, source, agent, "nobody@sante.gouv.tg", letter); err == nil || !strings.Contains(err.Error(), "550") {
		t.Errorf("unknown address in another ministry: %v", err)
	}
}

func TestQueueSurvivesTheCell(t *testing.T) {
	ca := newAuthority(t)
	config := testConfig(t, ca, "finances")
	finances, sante := startCell(t, config), startCell(t, testConfig(t, ca, "sante"))
	finances.accounts(agent)
	sante.accounts(friend)
	from, to := newGateway(t, ca, "finances"), newGateway(t, ca, "sante")
	if err := submit(t, from.connect(finances), agent, friend, letter); err != nil { // leads nowhere yet
		t.Fatal(err)
	}
	finances.stop()
	finances = startCell(t, config)
	from.target = to.connect(sante)
	from.connect(finances)
	until(t, "the message arrives", func() bool { return len(sante.inbox(friend)) == 1 })
}

func TestLogin(t *testing.T) {
	ca := newAuthority(t)
	config := testConfig(t, ca, "finances")
	config.Services = []string{link.ServiceIMAP}
	config.Security = Security{AllowedNetworks: []string{"192.0.2.0/24", "2001:db8::/32"}, MinTLSVersion: "1.3"}
	c := startCell(t, config)
	c.accounts(agent, "former@finances.gouv.tg")
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	for _, test := range []struct {
		name, remote, tls, service, mechanism, user, password, want string
	}{
		{want: "OK", name: "good"},
		{want: "OK", name: "capitals", user: strings.ToUpper(agent)},
		{want: "OK", name: "IPv6", remote: "[2001:db8::1]:1"},
		{want: "OK", name: "IPv4 in IPv6", remote: "[::ffff:192.0.2.1]:1"},
		{want: link.CodeAuthenticationFailed, name: "wrong password", password: "wrong"},
		{want: link.CodeAuthenticationFailed, name: "no password", password: "-"},
		{want: link.CodeAuthenticationFailed, name: "unknown", user: "nobody@finances.gouv.tg"},
		{want: link.CodeAuthenticationFailed, name: "no address", user: "afi"},
		{want: link.CodeAuthenticationFailed, name: "mechanism", mechanism: "LOGIN"},
		{want: link.CodeContactAdmin, name: "disabled", user: "former@finances.gouv.tg"},
		{want: link.CodeAuthenticationFailed, name: "disabled, wrong password", user: "former@finances.gouv.tg", password: "wrong"},
		{want: link.CodeContactAdmin, name: "service", service: link.ServiceSubmission},
		{want: link.CodeContactAdmin, name: "network", remote: "198.51.100.1:1"},
		{want: link.CodePrivacyRequired, name: "old TLS", tls: "1.2"},
		{want: link.CodePrivacyRequired, name: "no TLS", tls: "-"},
	} {
		value := func(given, usual string) string {
			if given == "-" {
				return ""
			}
			if given == "" {
				return usual
			}
			return given
		}
		response := login(t, s,
			link.Header{RemoteAddr: value(test.remote, "192.0.2.7:4711"), TLSVersion: value(test.tls, "1.3")},
			link.AuthRequest{
				Service: value(test.service, link.ServiceIMAP), Mechanism: value(test.mechanism, link.MechanismPlain),
				User: value(test.user, agent), Password: value(test.password, password),
			})
		got := response.Code
		if response.OK {
			got = "OK"
		}
		if got != test.want || response.OK != (len(response.Ticket) == 32) || response.OK != (response.Account == agent) {
			t.Errorf("%s: %+v, want %s", test.name, response, test.want)
		}
	}
}

func TestTickets(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent, "other@finances.gouv.tg")
	s := newGateway(t, ca, "finances").connect(c)
	ticket := func() string {
		h := link.Header{RemoteAddr: "192.0.2.7:4711", TLSVersion: "1.3"}
		return login(t, s, h, link.AuthRequest{Service: link.ServiceIMAP, Mechanism: link.MechanismPlain, User: agent, Password: password}).Ticket
	}
	greeting := func(h link.Header) string {
		st, err := s.Open(h)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		st.SetReadDeadline(time.Now().Add(20 * time.Second))
		line, _ := bufio.NewReader(st).ReadString('\n')
		return line
	}
	used := ticket()
	for _, test := range []struct {
		name, want string
		header     link.Header
	}{
		{"good", "* PREAUTH", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: used}},
		{"used", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: used}},
		{"invented", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent, Ticket: strings.Repeat("0", 32)}},
		{"none", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: agent}},
		{"of another", "* BYE", link.Header{Protocol: link.ProtocolIMAP, User: "other@finances.gouv.tg", Ticket: ticket()}},
		{"of another service", "421 ", link.Header{Protocol: link.ProtocolSubmission, User: agent, Ticket: ticket()}},
		{"unknown protocol", "", link.Header{Protocol: "pop3"}},
	} {
		if got := greeting(test.header); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	old := ticket()
	c.auth.tickets.now = func() time.Time { return time.Now().Add(link.TicketLifetime) }
	if _, ok := c.auth.tickets.redeem(old, agent, link.ServiceIMAP); ok {
		t.Error("ticket outlives its lifetime")
	}
}

func TestTicketsAreBounded(t *testing.T) {
	tk := newTickets()
	now := time.Now()
	tk.now = func() time.Time { return now }
	for range maxTickets {
		if _, ok := tk.issue(agent, link.ServiceIMAP); !ok {
			t.Fatal("refused too early")
		}
	}
	if _, ok := tk.issue(agent, link.ServiceIMAP); ok {
		t.Error("no bound")
	}
	now = now.Add(link.TicketLifetime)
	if _, ok := tk.issue(agent, link.ServiceIMAP); !ok || len(tk.waiting) != 1 {
		t.Errorf("%d tickets wait after they have expired", len(tk.waiting))
	}
}

func TestRehash(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	digest := sha256.Sum256([]byte(password + "salt"))
	old := "{SSHA256}" + base64.StdEncoding.EncodeToString(append(digest[:], "salt"...))
	if _, err := c.admin.PutAccounts(t.Context(), []admin.Account{{Address: agent, Password: old}}); err != nil {
		t.Fatal(err)
	}
	s := newGateway(t, ca, "finances").connect(c)
	session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP)
	until(t, "the hash is replaced", func() bool {
		a, err := c.store.Account(t.Context(), agent)
		return err == nil && strings.HasPrefix(a.Password, "$argon2id$")
	})
	session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP)
}

func TestDirectory(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	s := newGateway(t, ca, "finances").connect(c)
	st, err := s.Open(link.Header{Protocol: link.ProtocolDirectory})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	st.SetReadDeadline(time.Now().Add(20 * time.Second))
	known := map[string]bool{}
	var last link.DirectoryUpdate
	receive := func() {
		t.Helper()
		last = link.DirectoryUpdate{}
		if err := link.ReadFrame(st, &last); err != nil {
			t.Fatal(err)
		}
		if len(last.Add)+len(last.Remove) > link.MaxDirectoryChunk {
			t.Errorf("%d addresses in one update", len(last.Add)+len(last.Remove))
		}
		for _, a := range last.Add {
			known[a] = true
		}
		for _, a := range last.Remove {
			delete(known, a)
		}
	}
	if receive(); !last.Reset || !last.Sync || len(known) != 0 {
		t.Errorf("snapshot of nothing: %+v", last)
	}
	addresses := []string{agent}
	for i := range 1200 {
		addresses = append(addresses, fmt.Sprintf("agent%04d@gouv.tg", i))
	}
	c.accounts(addresses...)
	for len(known) < 1200 {
		if receive(); last.Reset || last.Sync {
			t.Errorf("change looks like a snapshot: %+v", last)
		}
	}
	c.accounts(append(slices.Clone(addresses[:1000]), "new@gouv.tg")...)
	for len(known) != 1000 || !known["new@gouv.tg"] {
		receive()
	}
	if known[agent] || known["agent1100@gouv.tg"] {
		t.Error("an address is known that should not be")
	}
	second, err := s.Open(link.Header{Protocol: link.ProtocolDirectory})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	st, known = second, map[string]bool{}
	st.SetReadDeadline(time.Now().Add(20 * time.Second))
	for receive(); !last.Sync; receive() {
	}
	if len(known) != 1000 {
		t.Errorf("second snapshot has %d addresses", len(known))
	}
}

func TestDisabledAccountLosesItsSession(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent, "other@finances.gouv.tg")
	s := newGateway(t, ca, "finances").connect(c)
	r := bufio.NewReader(session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP))
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatal(line, err)
	}
	c.accounts("other@finances.gouv.tg")
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* BYE") {
		t.Error(line, err)
	}
}

func TestStopSaysBye(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent)
	s := newGateway(t, ca, "finances").connect(c)
	r := bufio.NewReader(session(t, s, agent, link.ServiceIMAP, link.ProtocolIMAP))
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatal(line, err)
	}
	c.stop()
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* BYE") {
		t.Error(line, err)
	}
}

func TestAdmin(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	config, err := link.ClientConfig(ca.issue(link.OperatorURI), link.CellURI("finances"))
	if err != nil {
		t.Fatal(err)
	}
	operator := admin.NewClient("https://"+c.adminListen.Addr().String(), config)
	defer operator.Close()
	ctx := t.Context()
	result, err := operator.PutAccounts(ctx, []admin.Account{{Address: agent, QuotaBytes: 5}, {Address: "afi.lawson@gouv.tg"}})
	if err != nil || result.Added != 2 || result.Accounts != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if err := operator.SetPassword(ctx, agent, passwordHash()); err != nil {
		t.Error(err)
	}
	if err := operator.SetPassword(ctx, "nobody@gouv.tg", passwordHash()); !errors.Is(err, admin.ErrNoAccount) {
		t.Error(err)
	}
	if _, err := operator.PutAccounts(ctx, []admin.Account{{Address: friend}}); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), friend) {
		t.Errorf("address of another ministry: %v", err)
	}
	status, err := operator.Status(ctx)
	if err != nil || status.Ministry != "finances" || status.Accounts != 2 || status.AccountsHash != result.Hash {
		t.Errorf("%+v, %v", status, err)
	}
	var seen []string
	if err := c.admin.Accounts(ctx, func(a admin.Account) error {
		seen = append(seen, a.Address+a.Password)
		return nil
	}); err != nil || len(seen) != 2 {
		t.Errorf("%q, %v", seen, err)
	}
	if info, err := os.Stat(c.config.AdminSocket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	// Only the operator may use the admin port, and only the gateway the link port.
	stranger, err := link.ClientConfig(ca.issue(link.GatewayURI), link.CellURI("finances"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.NewClient("https://"+c.adminListen.Addr().String(), stranger).Status(ctx); err == nil {
		t.Error("the gateway may administrate")
	}
	if s, err := link.Dial(ctx, c.linkListen.Addr().String(), config); err == nil { // in TLS 1.3 the refusal comes after the handshake
		select {
		case <-s.Done():
		case <-time.After(20 * time.Second):
			t.Error("the operator may open a link")
		}
	}
}

func TestHealth(t *testing.T) {
	ca := newAuthority(t)
	c := startCell(t, testConfig(t, ca, "finances"))
	c.accounts(agent)
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + c.health.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	until(t, "the cell is ready", func() bool { code, _ := get("/readyz"); return code == http.StatusOK })
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Error(code)
	}
	code, text := get("/metrics")
	for _, want := range []string{
		`messagerie_cell_accounts{ministry="finances"} 1` + "\n", `messagerie_cell_queue_length{ministry="finances"} 0` + "\n",
		"# TYPE messagerie_cell_submitted_total counter\n", `messagerie_cell_resident_bytes{ministry="finances"} `,
	} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("metrics lack %q:\n%s", want, text)
		}
	}
}

func TestRunRefusesToStart(t *testing.T) {
	ca := newAuthority(t)
	first := startCell(t, testConfig(t, ca, "finances"))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if err := Run(t.Context(), filepath.Join(t.TempDir(), "none.json"), log); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"same data":      func(c *Config) { c.DataDir = first.dir },
		"no key":         func(c *Config) { c.DKIM.KeyFile = filepath.Join(t.TempDir(), "none") },
		"key is no key":  func(c *Config) { c.DKIM.KeyFile = filepath.Join(c.LinkDir, "ca.crt") },
		"key is not RSA": func(c *Config) { c.DKIM.KeyFile = filepath.Join(c.LinkDir, "tls.key") },
		"no certificate": func(c *Config) { c.LinkDir = t.TempDir() },
		"port is taken":  func(c *Config) { c.Listen.Admin = first.adminListen.Addr().String() },
	} {
		config := testConfig(t, ca, "finances")
		change(&config)
		if c, err := start(context.Background(), config, log); err == nil {
			c.closeAll()
			t.Errorf("%s: started", name)
		}
	}
}
