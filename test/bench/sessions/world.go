package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/pki"
)

const ministry, domain, password = "bench", "bench.tg", "secret"

// world is a cell and its gateways.
type world struct {
	dir       string
	cell      *process
	gateways  []*process
	addresses []string // of IMAP over TLS, by gateway
	mail      []string // of LMTP, by gateway
}

// newWorld starts a cell with so many accounts, and gateways.
func newWorld(ctx context.Context, gateways, accounts int) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "sessions"); err != nil {
		return w, err
	}
	if err := w.certificates(); err != nil {
		return w, err
	}
	at, err := w.startCell(ctx, accounts)
	if err != nil {
		return w, err
	}
	for i := range gateways {
		if err := w.addGateway(ctx, i, at); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) stop() {
	for _, g := range w.gateways {
		g.stop()
	}
	if w.cell != nil {
		w.cell.stop()
	}
	os.RemoveAll(w.dir)
}

// certificates writes those of the gateways and of the cell.
func (w *world) certificates() error {
	now := time.Now()
	authority, err := pki.NewAuthority("bench", now)
	if err != nil {
		return err
	}
	for name, uri := range map[string]string{"gateway": link.GatewayURI, "cell": link.CellURI(ministry), "agents": ""} {
		b, err := authority.Issue(pki.Request{CommonName: name, URI: uri, DNSNames: []string{"localhost"}}, now)
		if err != nil {
			return err
		}
		dir := filepath.Join(w.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		for file, text := range map[string][]byte{"tls.crt": b.Certificate, "tls.key": b.Key, "ca.crt": authority.CertificatePEM()} {
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// startCell returns the address of its links.
func (w *world) startCell(ctx context.Context, accounts int) (address string, err error) {
	var ports [3]string
	for i := range ports {
		if ports[i], err = free("127.0.3.1"); err != nil {
			return "", err
		}
	}
	socket := filepath.Join(w.dir, "admin.sock")
	path, err := w.config("cell", map[string]any{
		"ministry": ministry, "domains": []string{domain}, "hostname": "mail." + domain,
		"dataDir": filepath.Join(w.dir, "data"), "linkDir": filepath.Join(w.dir, "cell"), "adminSocket": socket,
		"listen":          map[string]string{"link": ports[0], "admin": ports[1], "health": ports[2]},
		"maxMessageBytes": 1 << 20, "maxRecipients": 100, "services": []string{link.ServiceIMAP},
	})
	if err != nil {
		return "", err
	}
	if w.cell, err = start(ctx, "cell", path, ports[2]); err != nil {
		return "", err
	}
	var up bool
	if err := w.cell.read(&up); err != nil {
		return "", err
	}
	// All have one hash: the cell remembers that the password fits it, and what is measured is not its hashing.
	hash, err := directory.Hash(password)
	if err != nil {
		return "", err
	}
	all := make([]admin.Account, accounts)
	for i := range all {
		all[i] = admin.Account{Address: account(i), Password: hash}
	}
	client := admin.NewUnixClient(socket)
	defer client.Close()
	_, err = client.PutAccounts(ctx, all)
	return ports[0], err
}

func account(i int) string { return fmt.Sprintf("u%d@%s", i, domain) }

// config writes a configuration.
func (w *world) config(name string, config map[string]any) (path string, err error) {
	text, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	path = filepath.Join(w.dir, name+".json")
	return path, os.WriteFile(path, text, 0o600)
}

func (w *world) addGateway(ctx context.Context, i int, cell string) error {
	host := netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}).String()
	var ports [3]string
	for i := range ports {
		var err error
		if ports[i], err = free(host); err != nil {
			return err
		}
	}
	path, err := w.config(fmt.Sprintf("gateway-%d", i), map[string]any{
		"hostname": "mail." + domain, "tlsDir": filepath.Join(w.dir, "agents"), "linkDir": filepath.Join(w.dir, "gateway"),
		"listen":                   map[string]string{"imaps": ports[0], "lmtp": ports[1], "health": ports[2]},
		"trustedNetworks":          []string{"127.0.0.0/8"},
		"maxConnectionsPerAddress": 100_000,
		"routes":                   map[string]any{"static": []map[string]any{{"ministry": ministry, "address": cell, "domains": []string{domain}}}},
	})
	if err != nil {
		return err
	}
	g, err := start(ctx, "gateway", path, ports[2])
	if err != nil {
		return err
	}
	w.gateways, w.addresses, w.mail = append(w.gateways, g), append(w.addresses, ports[0]), append(w.mail, ports[1])
	var up bool
	return g.read(&up)
}

// free finds an address to listen on.
func free(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// runGateway and runCell are the processes of a gateway and of the cell, as they are in service.
func runGateway(ctx context.Context, arguments []string) error {
	return role(ctx, arguments, gateway.Run)
}

func runCell(ctx context.Context, arguments []string) error { return role(ctx, arguments, cell.Run) }

// role runs until standard input ends. Its arguments are the configuration and the address that answers when it is ready.
func role(ctx context.Context, arguments []string, run func(context.Context, string, *slog.Logger) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, arguments[0], slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	}()
	for !isReady(arguments[1]) {
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := tell(true); err != nil {
		return err
	}
	untilTold(ctx)
	cancel()
	return <-ended
}

// isReady reports whether a process is ready, and in the case of a gateway has its links.
func isReady(address string) bool {
	response, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false
	}
	metrics, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return false
	}
	defer metrics.Body.Close()
	text, err := io.ReadAll(metrics.Body)
	return err == nil && !bytes.Contains(text, []byte(`link_up{ministry="`+ministry+`"} 0`))
}
