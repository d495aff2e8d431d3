// Package smtp is the receiving side of SMTP, submission and LMTP (RFC 5321, 6409, 2033) with PIPELINING, 8BITMIME, SIZE, CHUNKING,
// ENHANCEDSTATUSCODES, STARTTLS and AUTH PLAIN (RFC 2920, 6152, 1870, 3030, 2034, 3207, 4954). Nothing is added to a message.
package smtp

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/line"
	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
	"gouv.tg/messagerie/loadtest/nullserver/internal/tally"
)

// Role is what a listener is for.
type Role int

// Roles.
const (
	Exchanger  Role = iota // takes mail for anybody
	Submission             // wants AUTH first
	Delivery               // LMTP
)

// Bounds of a session.
const (
	MaxMessage    = 64 << 20
	maxRecipients = 1000
	maxErrors     = 100
)

const hostname = "null.invalid"

// Server serves connections; its fields are set before the first.
type Server struct {
	Store    *mailbox.Store
	Accounts func(user, password string) bool
	// StartTLS makes a TLS connection, handshake done; nil: STARTTLS is not announced.
	StartTLS func(net.Conn) (*tls.Conn, error)
	Hold     func() // before every write

	Commands            *tally.Commands
	Accepted, Delivered atomic.Int64
}

// Commands that are counted.
func Commands() *tally.Commands {
	return tally.New("EHLO", "HELO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "QUIT")
}

type session struct {
	*Server
	c             *line.Conn
	role          Role
	secure        bool
	greeted       bool
	authenticated bool
	errors        int
	transaction
}

type transaction struct {
	mail       bool
	recipients []string
	chunks     *mailbox.Collector // of BDAT
}

// Serve talks until the client leaves, the connection ends, or the client is of no use, and closes.
func (s *Server) Serve(nc net.Conn, role Role) {
	_, secure := nc.(*tls.Conn)
	x := &session{Server: s, c: line.New(nc, s.Hold), role: role, secure: secure}
	defer x.c.Close()
	x.reply("220 " + hostname + x.protocol() + "ready")
	for {
		p, err := x.c.ReadLine()
		if err == line.ErrTooLong {
			x.reply("500 5.5.2 line too long")
			break
		}
		if err != nil {
			return
		}
		if !x.command(p) {
			break
		}
		if x.errors >= maxErrors {
			x.reply("421 4.7.0 too many errors")
			break
		}
	}
	_ = x.c.Flush() // the session is over either way
}

func (x *session) protocol() string {
	if x.role == Delivery {
		return " LMTP "
	}
	return " ESMTP "
}

func (x *session) reply(text string) {
	x.c.Out = append(append(x.c.Out, text...), '\r', '\n')
	if text[0] >= '4' {
		x.errors++
	}
}

func (x *session) greet(verb string) {
	if (verb == "LHLO") != (x.role == Delivery) {
		x.reply("500 5.5.1 wrong greeting for this protocol")
		return
	}
	x.greeted, x.transaction = true, transaction{}
	if verb == "HELO" {
		x.reply("250 " + hostname)
		return
	}
	x.c.Out = append(x.c.Out, "250-"+hostname+"\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n"...)
	if x.StartTLS != nil && !x.secure {
		x.c.Out = append(x.c.Out, "250-STARTTLS\r\n"...)
	}
	if x.role == Submission && !x.authenticated {
		x.c.Out = append(x.c.Out, "250-AUTH PLAIN\r\n"...)
	}
	x.reply("250 SIZE " + strconv.Itoa(MaxMessage))
}

// startTLS says whether the session goes on. Bytes behind the command would be taken for encrypted ones (CVE-2011-0411).
func (x *session) startTLS() bool {
	switch {
	case x.StartTLS == nil || x.secure:
		x.reply("502 5.5.1 STARTTLS not available")
		return true
	case x.c.Buffered() > 0:
		x.reply("503 5.5.1 nothing may follow STARTTLS")
		return false
	}
	x.reply("220 2.0.0 ready for TLS")
	if x.c.Flush() != nil {
		return false
	}
	conn, err := x.StartTLS(x.c.Net())
	if err != nil {
		return false
	}
	x.c.Upgrade(conn)
	x.secure, x.greeted, x.authenticated, x.transaction = true, false, false, transaction{}
	return true
}

// deliver answers for a complete message: once, or in LMTP once for every recipient (RFC 2033, 4.2).
func (x *session) deliver(message *mailbox.Collector) {
	recipients := x.recipients
	x.transaction = transaction{}
	if message.Size() > MaxMessage {
		x.replyAll(len(recipients), "552 5.3.4 message too big")
		return
	}
	content, now := message.Content(), time.Now()
	accepted := 0
	for _, to := range recipients {
		if err := x.Store.Deliver(to, content, now); err == nil {
			accepted++
		} else if x.role == Delivery {
			x.reply("452 4.3.1 no room for the message")
			continue
		}
		if x.role == Delivery {
			x.reply("250 2.0.0 delivered")
		}
	}
	x.Delivered.Add(int64(accepted))
	if accepted > 0 {
		x.Accepted.Add(1)
	}
	switch {
	case x.role == Delivery:
	case accepted < len(recipients):
		x.reply("452 4.3.1 no room for the message")
	default:
		x.reply("250 2.0.0 accepted")
	}
}

func (x *session) replyAll(recipients int, text string) {
	if x.role != Delivery {
		recipients = 1
	}
	for range recipients {
		x.reply(text)
	}
}
