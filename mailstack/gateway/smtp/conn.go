package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/binding"
)

// Bounds of a dialogue.
const (
	maxLine          = 2048  // bytes of a command line; RFC 5321 asks for 512 and what extensions add
	maxAuthLine      = 12288 // RFC 4954, 4
	maxErrors        = 10    // commands that cannot be understood, or that are out of place
	maxRefusals      = 200   // recipients refused: more is guessing of addresses
	maxLogins        = 3     // failed logins
	handshakeTimeout = 30 * time.Second
)

var errLineTooLong = errors.New("line is too long")

// conn is one dialogue.
type conn struct {
	srv     *Server
	peer    *Peer
	raw     Conn
	tls     *tls.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	session Session

	greeted  bool
	authed   bool
	inMail   bool
	rcpts    int
	errors   int
	refusals int
	logins   int
	quit     bool
}

// Serve runs the dialogue with one peer to its end. The caller closes raw.
func (s *Server) Serve(ctx context.Context, raw Conn) {
	c := &conn{srv: s, raw: raw, peer: &Peer{Conn: raw}}
	if s.Implicit {
		if !c.handshake(ctx) {
			return
		}
	} else {
		c.use(raw)
	}
	c.session = s.NewSession(c.peer)
	defer func() { c.session.Close() }()
	protocol := "ESMTP"
	if s.LMTP {
		protocol = "LMTP"
	}
	c.line("220 %s %s", s.Hostname, protocol)
	for !c.quit {
		limit := maxLine
		if s.Mechanisms != nil && !c.authed {
			limit = maxAuthLine // AUTH may come with its response
		}
		line, err := c.readLine(limit)
		if err != nil {
			c.lost(err)
			break
		}
		c.command(ctx, line)
	}
	c.w.Flush()
	if c.tls != nil {
		c.tls.Close()
	}
}

func (c *conn) use(rw io.ReadWriter) {
	c.r = bufio.NewReaderSize(rw, 4096)
	c.w = bufio.NewWriterSize(rw, 1024)
}

func (c *conn) handshake(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	t := tls.Server(c.raw, c.srv.TLS)
	if err := t.HandshakeContext(binding.Handshake(ctx, &c.peer.Shown)); err != nil {
		c.srv.Log.Debug("handshake failed", "remote", c.raw.RemoteAddr().String(), "error", err)
		return false
	}
	state := t.ConnectionState()
	c.tls, c.peer.TLS = t, &state
	c.use(t) // new buffers: what came in clear text is gone (CVE-2011-0411)
	return true
}

// readLine reads a line without its end. Replies are sent before it waits, and only then: that is what pipelining
// lives on (RFC 2920).
func (c *conn) readLine(limit int) (string, error) {
	var long []byte
	for {
		if c.r.Buffered() == 0 {
			if err := c.w.Flush(); err != nil {
				return "", err
			}
		}
		part, err := c.r.ReadSlice('\n')
		if err == nil && long == nil {
			if len(part) > limit {
				return "", errLineTooLong
			}
			return strings.TrimRight(string(part), "\r\n"), nil
		}
		if len(long)+len(part) > limit {
			return "", errLineTooLong
		}
		long = append(long, part...)
		if err == nil {
			return strings.TrimRight(string(long), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

// lost says goodbye where somebody may still listen.
func (c *conn) lost(err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, errLineTooLong):
		c.line("500 5.5.2 Line is too long")
	case c.raw.Draining():
		c.line("421 4.3.2 %s is stopping", c.srv.Hostname)
	case errors.As(err, &timeout) && timeout.Timeout():
		c.line("421 4.4.2 %s timeout", c.srv.Hostname)
	}
}

// line writes one line of a reply.
func (c *conn) line(format string, args ...any) { fmt.Fprintf(c.w, format+"\r\n", args...) }

// reply writes a reply of one line or, where text has line breaks, of several.
func (c *conn) reply(e *Error) {
	enhanced := fmt.Sprintf("%d.%d.%d ", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
	if e.EnhancedCode[0] <= 0 {
		enhanced = ""
	}
	lines := strings.Split(e.Message, "\n")
	for i, text := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		c.line("%d%s%s%s", e.Code, sep, enhanced, printable(text))
	}
	if e.Code == 421 {
		c.quit = true
	}
}

func (c *conn) ok(code, class, subject, detail int, text string) {
	c.reply(Fail(code, class, subject, detail, text))
}

// refuse answers an error of a session.
func (c *conn) refuse(err error) {
	c.reply(c.errorOf(err))
}

func (c *conn) errorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	c.srv.Log.Error("session failed", "remote", c.raw.RemoteAddr().String(), "error", err)
	return Fail(451, 4, 3, 0, "Local error, try again later")
}

// wrong answers a command that cannot be understood, and ends the connection when there are too many.
func (c *conn) wrong(code, detail int, text string) {
	if c.errors++; c.errors > maxErrors {
		c.reply(Fail(421, 4, 7, 0, "Too many errors"))
		return
	}
	c.reply(Fail(code, 5, 5, detail, text))
}

// printable keeps what other parties wrote from ending a line or worse.
func printable(s string) string {
	const limit = 400
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
