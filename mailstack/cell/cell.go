// Package cell is the process that keeps one ministry's mail: its accounts and mailboxes, its submission, delivery and IMAP
// services, and its queue. Agents never reach it directly: gateways connect to its link port and bring their sessions.
package cell

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/imap"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/queue"
	"gouv.tg/messagerie/mailstack/smtp"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/fulltext"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// drainTimeout is how long requests under way may take when the cell stops.
const drainTimeout = 3 * time.Second

// Run runs a cell until ctx is done, and then stops it in order: no new sessions, BYE to those that are open, the queue,
// the store. It returns nil after an orderly stop.
func Run(ctx context.Context, configPath string, log *slog.Logger) error {
	config, err := LoadConfig(configPath)
	if err != nil {
		return err
	}
	c, err := start(ctx, config, log)
	if err != nil {
		return err
	}
	return c.run(ctx)
}

// cell is a running cell.
type cell struct {
	config Config
	log    *slog.Logger

	store     *store.Store
	links     *links
	auth      *authenticator
	addresses *addresses
	smtp      *smtp.Server
	imap      *imap.Server
	indexes   *fulltext.Indexes
	queue     *queue.Queue

	linkTLS, adminTLS                          *tls.Config
	linkListen, adminListen, adminUnix, health net.Listener
	ready                                      atomic.Bool
	traffic                                    telemetry.Traffic // with gateways
}

// start opens everything that can fail.
func start(ctx context.Context, config Config, log *slog.Logger) (_ *cell, err error) {
	c := &cell{config: config, log: log.With("ministry", config.Ministry), links: newLinks()}
	defer func() {
		if err != nil {
			c.closeAll()
		}
	}()
	key, err := loadKey(config.DKIM.KeyFile)
	if err != nil {
		return nil, err
	}
	if c.linkTLS, err = link.ServerConfig(config.LinkDir, link.GatewayURI); err != nil {
		return nil, err
	}
	if c.adminTLS, err = link.ServerConfig(config.LinkDir, link.OperatorURI); err != nil {
		return nil, err
	}
	if c.store, err = store.Open(ctx, store.Options{Dir: config.DataDir, VaultFor: store.DefaultVaultFor, Logger: c.log}); err != nil {
		return nil, fmt.Errorf("cannot open store: %w", err)
	}
	if c.auth, err = newAuthenticator(c.store, config, c.log); err != nil {
		return nil, err
	}
	c.addresses = &addresses{store: c.store, domain: config.SharedDomain, mechanisms: c.auth.offered, log: c.log}
	c.smtp = smtp.New(c.store, smtp.Options{
		Hostname: config.Hostname, Domains: config.Domains, SharedDomain: config.SharedDomain,
		MaxMessageBytes: config.MaxMessageBytes, MaxRecipients: config.MaxRecipients,
		OutboundRelay: config.Outbound.Mode == modeRelay, Selector: config.DKIM.Selector, Key: key,
		QueueLifetime: queue.Lifetime, Relay: c.links, Logger: c.log,
	})
	c.indexes, err = fulltext.Open(filepath.Join(config.DataDir, "search"), fulltext.Options{
		Source: searched{c.store}, Busy: c.store.Busy, Logger: c.log,
	})
	if err != nil {
		return nil, err
	}
	c.imap = imap.New(c.store, imap.Options{MaxMessageBytes: config.MaxMessageBytes, Indexes: c.indexes, Logger: c.log})
	outbound, err := newOutbound(config)
	if err != nil {
		return nil, err
	}
	c.queue = queue.New(c.store, queue.Options{
		Hostname: config.Hostname, Outbound: outbound, Gateways: c.links, Logger: c.log,
	})
	return c, c.listen()
}

// newOutbound trusts the authorities of the system and that of the platform.
func newOutbound(config Config) (*queue.Outbound, error) {
	if config.Outbound.Mode != modeRelay {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // an image without authorities
	}
	ca, err := os.ReadFile(filepath.Join(config.LinkDir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("cannot read authority: %w", err)
	}
	roots.AppendCertsFromPEM(ca)
	host, _, err := net.SplitHostPort(config.Outbound.Relay)
	if err != nil {
		return nil, fmt.Errorf("outbound.relay: %w", err)
	}
	return &queue.Outbound{
		Address: config.Outbound.Relay,
		TLS:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: host},
	}, nil
}

// run serves until ctx is done or something fails that cannot be gone on without.
func (c *cell) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	serve := func(what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("cannot serve %s: %w", what, err))
			}
		})
	}
	admins := &backend{store: c.store, config: c.config}
	adminServer := admin.NewServer(admins, c.log)
	socketServer := admin.NewSocketServer(admins, &mailboxes{store: c.store, indexes: c.indexes, imap: c.imap, log: c.log}, c.log)
	healthServer := c.healthServer()
	serve("SMTP", c.smtp.Serve)
	serve("admin", func() error { return ended(adminServer.Serve(tls.NewListener(c.adminListen, c.adminTLS))) })
	if c.adminUnix != nil {
		serve("admin socket", func() error { return ended(socketServer.Serve(c.adminUnix)) })
	}
	serve("health", func() error { return ended(healthServer.Serve(c.health)) })
	// Links outlive ctx, so that sessions can be told.
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	defer unlink()
	serve("link", func() error { return c.acceptLinks(linked) })
	wg.Go(func() { c.queue.Run(ctx) })
	wg.Go(func() { c.auth.renewLoop(ctx) })
	wg.Go(func() { c.watchAccounts(ctx) })
	c.ready.Store(true)
	c.log.Info("cell is ready", "link", c.linkListen.Addr().String(), "domains", c.config.Domains)

	<-ctx.Done()
	c.ready.Store(false)
	c.log.Info("cell is stopping")
	_ = c.linkListen.Close()
	defer time.AfterFunc(drainTimeout, unlink).Stop() // a gateway that takes nothing more does not hold this up
	drain, stop := context.WithTimeout(context.Background(), drainTimeout)
	defer stop()
	_ = c.imap.Close()
	_ = c.smtp.Close()
	unlink()
	shutdown(drain, adminServer)
	shutdown(drain, socketServer)
	shutdown(drain, healthServer)
	wg.Wait()
	c.indexes.Close()
	err := c.store.Close()
	if err != nil {
		err = fmt.Errorf("cannot close store: %w", err)
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func shutdown(ctx context.Context, s *http.Server) {
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}

// closeAll undoes a start that failed.
func (c *cell) closeAll() {
	for _, l := range []net.Listener{c.linkListen, c.adminListen, c.adminUnix, c.health} {
		if l != nil {
			_ = l.Close()
		}
	}
	if c.indexes != nil {
		c.indexes.Close()
	}
	if c.store != nil {
		_ = c.store.Close()
	}
}

// watchAccounts ends the sessions of accounts that are disabled.
func (c *cell) watchAccounts(ctx context.Context) {
	for {
		changed := c.store.AccountsChanged()
		c.imap.Disconnect(func(address string) bool {
			account, err := c.store.Account(ctx, address)
			return errors.Is(err, store.ErrNoAccount) || err == nil && account.Disabled
		})
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
