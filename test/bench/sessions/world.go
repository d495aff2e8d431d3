package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/pki"
)

const ministry, domain = "bench", "bench.tg"

// world is a cell and its gateways.
type world struct {
	dir       string
	cell      *process
	gateways  []*process
	addresses []string // of IMAP over TLS, by gateway
}

func newWorld(ctx context.Context, gateways int) (w *world, err error) {
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
	if w.cell, err = start(ctx, "cell", filepath.Join(w.dir, "cell")); err != nil {
		return w, err
	}
	var at string
	if err := w.cell.read(&at); err != nil {
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

func (w *world) addGateway(ctx context.Context, i int, cell string) error {
	host := netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + i)}).String()
	imaps, err := free(host)
	if err != nil {
		return err
	}
	health, err := free(host)
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"hostname": "mail.bench.tg", "tlsDir": filepath.Join(w.dir, "agents"), "linkDir": filepath.Join(w.dir, "gateway"),
		"listen":                   map[string]string{"imaps": imaps, "health": health},
		"maxConnectionsPerAddress": 100_000,
		"routes":                   map[string]any{"static": []map[string]any{{"ministry": ministry, "address": cell, "domains": []string{domain}}}},
	})
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, fmt.Sprintf("gateway-%d.json", i))
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return err
	}
	g, err := start(ctx, "gateway", path, health)
	if err != nil {
		return err
	}
	w.gateways, w.addresses = append(w.gateways, g), append(w.addresses, imaps)
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

// runGateway is a gateway's process: the gateway itself, as it is.
func runGateway(ctx context.Context, arguments []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- gateway.Run(ctx, arguments[0], slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	}()
	for !reachable(arguments[1]) {
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	time.Sleep(300 * time.Millisecond) // its links
	if err := tell(true); err != nil {
		return err
	}
	untilTold(ctx)
	cancel()
	return <-ended
}

func reachable(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
