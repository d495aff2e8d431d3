package cell

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
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
	if err := operator.SetPassword(ctx, agent, passwordHash(), ""); err != nil {
		t.Error(err)
	}
	if err := operator.SetPassword(ctx, "nobody@gouv.tg", passwordHash(), ""); !errors.Is(err, admin.ErrNoAccount) {
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
		"# TYPE messagerie_cell_submitted_total counter\n", `process_resident_memory_bytes{ministry="finances"} `,
		"# TYPE messagerie_cell_imap_commands_total counter\n", `messagerie_cell_commits_total{ministry="finances"} `,
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
