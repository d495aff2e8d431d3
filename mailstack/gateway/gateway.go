package gateway

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/binding"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/delivery"
	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/gateway/imap"
	"gouv.tg/messagerie/mailstack/gateway/login"
	"gouv.tg/messagerie/mailstack/gateway/pods"
	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/gateway/smtp"
	"gouv.tg/messagerie/mailstack/gateway/submission"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/telemetry"
	"gouv.tg/messagerie/parking"
)

// smtpTimeout limits each read and write of an SMTP dialogue (RFC 5321, 4.5.3.2.7).
const smtpTimeout = 5 * time.Minute

// Gateway is one gateway. New makes it, Run runs it once.
type Gateway struct {
	config *Config
	log    *slog.Logger
	source route.Source
	table  *route.Table
	cells  *cells.Manager
	limits *guard.Limits
	parked *parking.Poller // sessions of agents that idle

	services   []*service
	health     *http.Server
	healthAddr net.Addr
	counters   counters
	up         atomic.Bool
	wg         sync.WaitGroup
}

type counters struct {
	connections, refused, logins, messages, recipients *telemetry.Counter
	traffic                                            telemetry.Traffic // with agents and other servers
}

func newCounters() counters {
	return counters{
		connections: telemetry.NewCounter("messagerie_gateway_connections_total", "Connections taken.", "listener"),
		refused:     telemetry.NewCounter("messagerie_gateway_connections_refused_total", "Connections over a limit or from a network that may not connect.", "listener"),
		logins:      telemetry.NewCounter("messagerie_gateway_logins_total", "Logins by protocol (imap, submission) and verdict (ok, refused, blocked, unavailable).", "protocol", "verdict"),
		messages:    telemetry.NewCounter("messagerie_gateway_messages_total", "Messages that came to their end, by where they came in and result (accepted, temporary, refused).", "listener", "result"),
		recipients:  telemetry.NewCounter("messagerie_gateway_recipients_total", "Recipients named, by where and result (accepted, temporary, refused).", "listener", "result"),
	}
}

// service is one listener and what it offers.
type service struct {
	name     string
	address  string
	handler  func(context.Context) func(*guard.Conn)
	parks    bool // its sessions may be parked
	listener *guard.Listener
	open     net.Listener
}

// New makes a gateway. It reads the certificates and opens nothing.
func New(config *Config, log *slog.Logger) (*Gateway, error) {
	g := &Gateway{
		config: config, log: log,
		table:    route.NewTable(config.SharedDomain, log),
		limits:   &guard.Limits{Max: connections(config.MaxConnections, log), PerAddress: config.MaxConnectionsPerAddress},
		counters: newCounters(),
	}
	keyring, err := link.NewKeyring(config.LinkDir)
	if err != nil {
		return nil, err
	}
	shown, err := link.NewKeyring(config.TLSDir)
	if err != nil {
		return nil, err
	}
	g.source = config.static()
	if config.Routes.Kubernetes != nil {
		if g.source, err = pods.InCluster(log); err != nil {
			return nil, err
		}
	}
	g.cells = &cells.Manager{Table: g.table, Keyring: keyring, Log: log}
	g.offer(&tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := shown.Certificate()
			binding.Showing(hello, certificate)
			return certificate, err
		},
		// Small first records serve browsers; here each record is one more system call.
		DynamicRecordSizingDisabled: true,
	})
	g.health = g.healthServer()
	return g, nil
}

// offer makes the services.
func (g *Gateway) offer(agents *tls.Config) {
	c := g.config
	auth := &login.Authenticator{Table: g.table, Cells: g.cells, Failures: guard.NewFailures(), Log: g.log,
		Count: g.counters.logins, Step: login.Step}
	deliver := &delivery.Service{Hostname: c.Hostname, SharedDomain: c.SharedDomain, Table: g.table, Cells: g.cells,
		Log: g.log, Messages: g.counters.messages, Recipients: g.counters.recipients}
	submit := &submission.Service{Login: auth, Cells: g.cells, Log: g.log,
		Messages: g.counters.messages, Recipients: g.counters.recipients}

	base := smtp.Server{Hostname: c.Hostname, TLS: agents, MaxMessageBytes: c.MaxMessageBytes, MaxRecipients: c.MaxRecipients, Log: g.log}
	delivers := func(kind delivery.Kind, lmtp bool) func(context.Context) func(*guard.Conn) {
		srv := base
		srv.LMTP = lmtp
		srv.NewSession = func(p *smtp.Peer) smtp.Session { return deliver.Session(kind, "", p) }
		return func(ctx context.Context) func(*guard.Conn) {
			return func(conn *guard.Conn) { srv.Serve(ctx, conn) }
		}
	}
	submits := func(implicit bool) func(context.Context) func(*guard.Conn) {
		return func(ctx context.Context) func(*guard.Conn) {
			srv := base
			srv.Mechanisms, srv.Takes, srv.RequireTLS, srv.Implicit = g.cells.Mechanisms, g.cells.Takes, true, implicit
			srv.NewSession = func(p *smtp.Peer) smtp.Session { return submit.Session(ctx, p) }
			return func(conn *guard.Conn) { srv.Serve(ctx, conn) }
		}
	}
	reads := func(implicit bool) func(context.Context) func(*guard.Conn) {
		srv := &imap.Server{TLS: agents, Implicit: implicit, Login: auth, Cells: g.cells, Log: g.log}
		return func(ctx context.Context) func(*guard.Conn) {
			return func(conn *guard.Conn) { srv.Serve(ctx, conn) }
		}
	}
	const smtpBusy, imapBusy = "421 4.7.0 Too many connections\r\n", "* BYE Too many connections\r\n"
	g.add("smtp", c.Listen.SMTP, smtpBusy, smtpTimeout, 0, nil, delivers(delivery.MX, false))
	g.add("lmtp", c.Listen.LMTP, smtpBusy, smtpTimeout, 0, nonNil(c.TrustedNetworks), delivers(delivery.LMTP, true))
	g.add("submission", c.Listen.Submission, smtpBusy, smtpTimeout, 0, nil, submits(false))
	g.add("submissions", c.Listen.Submissions, "", smtpTimeout, 0, nil, submits(true))
	g.add("imap", c.Listen.IMAP, imapBusy, imap.PreAuthTimeout, imap.PreAuthTimeout, nil, reads(false))
	g.add("imaps", c.Listen.IMAPS, "", imap.PreAuthTimeout, imap.PreAuthTimeout, nil, reads(true))
	for _, s := range g.services[len(g.services)-2:] {
		s.parks = true
	}

	relay := base
	relay.TLS, relay.LMTP, relay.DSN = nil, true, true
	g.cells.Relay = g.addRelay(relay, deliver)
}

// nonNil makes an empty list mean nobody; nil means everybody to a guard.Listener.
func nonNil(networks []netip.Prefix) []netip.Prefix {
	if networks == nil {
		return []netip.Prefix{}
	}
	return networks
}

func (g *Gateway) add(name, address, busy string, idle, first time.Duration, allowed []netip.Prefix,
	handler func(context.Context) func(*guard.Conn)) {
	g.services = append(g.services, &service{
		name: name, address: address,
		handler: func(ctx context.Context) func(*guard.Conn) {
			handle := handler(ctx)
			return func(c *guard.Conn) {
				g.counters.connections.Inc(name)
				handle(c)
			}
		},
		listener: &guard.Listener{Limits: g.limits, Allowed: allowed, Busy: busy, Idle: idle, First: first, Traffic: &g.counters.traffic,
			Refused: func() { g.counters.refused.Inc(name) }},
	})
}

// addRelay makes the service for the streams that cells open. They come over links, not from a listener of their own, and
// count towards no limit but those of the link.
func (g *Gateway) addRelay(srv smtp.Server, deliver *delivery.Service) func(context.Context, string, *link.Stream) {
	s := &service{name: "relay", listener: &guard.Listener{Idle: smtpTimeout}}
	g.services = append(g.services, s)
	return func(ctx context.Context, ministry string, st *link.Stream) {
		g.counters.connections.Inc(s.name)
		srv := srv
		srv.NewSession = func(p *smtp.Peer) smtp.Session { return deliver.Session(delivery.Relay, ministry, p) }
		s.listener.Run(st, func(c *guard.Conn) { srv.Serve(ctx, c) })
	}
}
