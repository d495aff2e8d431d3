package stack

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/pki"
)

// Stack is a gateway and a cell with two accounts.
type Stack struct {
	IMAPS, IMAP      string // host:port; IMAP offers STARTTLS
	CAFile           string
	TLS              *tls.Config
	User, Password   string
	User2, Password2 string
}

const (
	host            = "127.0.0.1"
	domain          = "conformance.example"
	ministry        = "conformance"
	patience        = 30 * time.Second
	quota           = 100 << 20
	maxMessageBytes = 25 << 20
)

// Start builds stackd, or takes the one that the variable STACKD names, and starts both roles until the test is over.
func Start(t *testing.T) *Stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "stack") // short: a socket lies in it
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	stackd := os.Getenv("STACKD")
	if stackd == "" {
		stackd = filepath.Join(dir, "stackd")
		build := exec.Command("go", "build", "-o", stackd, "gouv.tg/messagerie/cmd/stackd")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	at := ports(t, 6)
	s := &Stack{
		IMAPS: at[0], IMAP: at[1], CAFile: filepath.Join(dir, "tls", "ca.crt"),
		User: "afi@" + domain, Password: "secret one", User2: "kofi@" + domain, Password2: "secret two",
	}
	certificates(t, dir, s)
	socket := filepath.Join(dir, "admin.sock")
	check(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	start(t, dir, stackd, "cell", cell.Config{
		Ministry: ministry, Domains: []string{domain}, Hostname: "cell." + domain, DataDir: filepath.Join(dir, "data"),
		LinkDir: filepath.Join(dir, "cell"), AdminSocket: socket, MaxMessageBytes: maxMessageBytes, MaxRecipients: 100,
		Listen:   cell.Listen{Link: at[2], Admin: at[3], Health: at[4]},
		Services: []string{link.ServiceIMAP, link.ServiceSubmission},
	})
	await(t, func() error { return accounts(t.Context(), socket, s) })
	start(t, dir, stackd, "gateway", gateway.Config{
		Hostname: "mail." + domain, TLSDir: filepath.Join(dir, "tls"), LinkDir: filepath.Join(dir, "gateway"),
		Listen:          gateway.Listen{IMAPS: s.IMAPS, IMAP: s.IMAP, Health: at[5]},
		MaxMessageBytes: maxMessageBytes, MaxRecipients: 100, MaxConnections: 1000, MaxConnectionsPerAddress: 1000,
		Routes: gateway.Routes{Static: []gateway.StaticRoute{{Ministry: ministry, Address: at[2], Domains: []string{domain}}}},
	})
	await(t, func() error {
		conn, err := tls.Dial("tcp", s.IMAPS, s.TLS)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ports returns n addresses that nobody listens on now.
func ports(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", host+":0")
		check(t, err)
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

// certificates writes what the gateway shows to clients, and what both ends of the link show to each other.
func certificates(t *testing.T, dir string, s *Stack) {
	t.Helper()
	a, err := pki.NewAuthority("conformance", time.Now())
	check(t, err)
	s.TLS = &tls.Config{RootCAs: a.Pool(), ServerName: host, MinVersion: tls.VersionTLS12}
	for name, r := range map[string]pki.Request{
		// Clients that know nothing of addresses in certificates take them for names.
		"tls":     {CommonName: domain, DNSNames: []string{"localhost", host}, Addresses: []netip.Addr{netip.MustParseAddr(host)}},
		"cell":    {CommonName: "cell", URI: link.CellURI(ministry)},
		"gateway": {CommonName: "gateway", URI: link.GatewayURI},
	} {
		b, err := a.Issue(r, time.Now())
		check(t, err)
		check(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		for file, text := range map[string][]byte{"tls.crt": b.Certificate, "tls.key": b.Key, "ca.crt": a.CertificatePEM()} {
			check(t, os.WriteFile(filepath.Join(dir, name, file), text, 0o600))
		}
	}
	check(t, os.Chmod(dir, 0o755))
	check(t, os.Chmod(s.CAFile, 0o644))
}

// start runs one role of stackd. What it logs is shown when the test fails.
func start(t *testing.T, dir, stackd, role string, config any) {
	t.Helper()
	text, err := json.Marshal(config)
	check(t, err)
	path := filepath.Join(dir, role+".json")
	check(t, os.WriteFile(path, text, 0o600))
	log, err := os.Create(filepath.Join(dir, role+".log"))
	check(t, err)
	cmd := exec.Command(stackd, role, "--config", path)
	cmd.Stdout, cmd.Stderr = log, log
	check(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		log.Close()
		if err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s:\n%s", role, text[max(0, len(text)-20_000):])
		}
	})
}

// await repeats until f succeeds.
func await(t *testing.T, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("does not start: %v", err)
}

func accounts(ctx context.Context, socket string, s *Stack) error {
	var all []admin.Account
	for user, password := range map[string]string{s.User: s.Password, s.User2: s.Password2} {
		hash, err := directory.Hash(password)
		if err != nil {
			return err
		}
		all = append(all, admin.Account{Address: user, Password: hash, QuotaBytes: quota})
	}
	client := admin.NewUnixClient(socket)
	defer client.Close()
	if _, err := client.PutAccounts(ctx, all); err != nil {
		return fmt.Errorf("cannot make accounts: %w", err)
	}
	for _, a := range all { // as accounts set-password does: with a verifier for SCRAM
		password := s.Password
		if a.Address == s.User2 {
			password = s.Password2
		}
		verifier, err := sasl.NewVerifier(password)
		if err != nil {
			return err
		}
		if err := client.SetPassword(ctx, a.Address, a.Password, verifier.String()); err != nil {
			return fmt.Errorf("cannot set a password: %w", err)
		}
	}
	return nil
}
