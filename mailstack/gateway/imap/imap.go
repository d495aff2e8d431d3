// Package imap is the part of an IMAP session before authentication (RFC 9051, 3.1 and 6.1 to 6.2). Once an agent has logged
// in, the gateway only moves bytes between the agent and the cell that owns the mailbox.
package imap

import (
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/binding"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/gateway/login"
)

// Limits of a session.
const (
	PreAuthTimeout   = 60 * time.Second // for all of the part before a login
	idleTimeout      = 35 * time.Minute // RFC 9051, 5.4 asks for 30 at least
	handshakeTimeout = 30 * time.Second
	streamTimeout    = 30 * time.Second // for the cell's greeting
	writeTimeout     = 2 * time.Minute  // for the cell to take what it is sent
	maxLogins        = 3
	maxErrors        = 10
)

// Server is what one listener offers.
type Server struct {
	TLS      *tls.Config
	Implicit bool // TLS from the first byte (RFC 8314)
	Login    *login.Authenticator
	Cells    *cells.Manager
	Log      *slog.Logger
}

// capabilities before authentication: what a login can profit from. The cell announces the rest after it.
func (s *Server) capabilities(secure bool) string {
	caps := "IMAP4rev1 IMAP4rev2 LITERAL+ ID SASL-IR"
	if !secure {
		return caps + " STARTTLS LOGINDISABLED"
	}
	for _, mechanism := range s.Cells.Mechanisms() {
		caps += " AUTH=" + mechanism
	}
	return caps
}

// conn is one session before authentication.
type conn struct {
	srv     *Server
	ctx     context.Context
	raw     *guard.Conn
	tls     *tls.Conn
	shown   *tls.Certificate // in the handshake; nil: the session was resumed
	r       *reader
	errors  int
	logins  int
	quit    bool
	relayed bool // the connection is a relay's
}

// Serve runs one session. It lives without a goroutine while nothing is to be done: until the first byte of TLS comes, and from
// the login on. raw is closed at its end.
func (s *Server) Serve(ctx context.Context, raw *guard.Conn) {
	c := &conn{srv: s, ctx: ctx, raw: raw}
	raw.Keep()
	if !s.Implicit {
		c.r = newReader(raw, c.write)
		c.greet()
		return
	}
	if raw.Park(c.secure) != nil {
		c.secure()
	}
}

// secure makes the handshake. The session goes on with another goroutine, whose stack has not the size of a handshake's.
func (c *conn) secure() {
	if !c.handshake() {
		c.raw.Close()
		return
	}
	go c.greet()
}

func (c *conn) greet() {
	c.write("* OK [CAPABILITY " + c.srv.capabilities(c.tls != nil) + "] Messagerie ready\r\n")
	c.run()
}

// run answers commands until the session is over or relayed.
func (c *conn) run() {
	for !c.quit {
		cmd, err := c.r.command()
		if err != nil {
			c.complain(cmd, err)
			continue
		}
		c.handle(cmd)
	}
	if c.relayed {
		return
	}
	if c.tls != nil {
		c.tls.Close()
	}
	c.raw.Close()
}

// handshakes are the places for them: each has some 40 KiB while it lasts, and a peer may take its time.
var handshakes = make(chan struct{}, 2048)

func (c *conn) handshake() bool {
	select {
	case handshakes <- struct{}{}:
		defer func() { <-handshakes }()
	case <-c.ctx.Done():
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, handshakeTimeout)
	defer cancel()
	t := tls.Server(c.raw, c.srv.TLS)
	if err := t.HandshakeContext(binding.Handshake(ctx, &c.shown)); err != nil {
		c.srv.Log.Debug("handshake failed", "remote", c.raw.RemoteAddr().String(), "error", err)
		return false
	}
	c.tls = t
	c.r = newReader(t, c.write) // a new buffer: what came in clear text is gone (CVE-2011-0411)
	return true
}

func (c *conn) write(s string) error {
	var err error
	if c.tls != nil {
		_, err = c.tls.Write([]byte(s))
	} else {
		_, err = c.raw.Write([]byte(s))
	}
	if err != nil {
		c.quit = true
	}
	return err
}

func (c *conn) tlsVersion() string {
	if c.tls == nil {
		return ""
	}
	if c.tls.ConnectionState().Version == tls.VersionTLS13 {
		return "1.3"
	}
	return "1.2"
}

// respond ends a command.
func (c *conn) respond(tag, status, text string) {
	c.write(tag + " " + status + " " + printable(text) + "\r\n")
}

// printable keeps what other parties wrote from ending a line.
func printable(s string) string {
	const limit = 1000
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
