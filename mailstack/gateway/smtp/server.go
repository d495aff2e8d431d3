// Package smtp is the gateway's SMTP and LMTP server (RFC 5321, RFC 2033, RFC 6409): the dialogue with a peer, and nothing
// of what becomes of the mail, which is a Session's business.
//
// It is strict where leniency has been abused: a message ends with CRLF "." CRLF and nothing else, what a peer sent before
// a TLS handshake is thrown away, and a message whose transfer broke off is never taken for a whole one.
package smtp

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"

	gosmtp "github.com/emersion/go-smtp"
)

// Error is a reply of a Session that is not the default one: code, enhanced code and text go to the peer.
type Error = gosmtp.SMTPError

// Fail makes an Error.
func Fail(code, class, subject, detail int, text string) *Error {
	return &Error{Code: code, EnhancedCode: gosmtp.EnhancedCode{class, subject, detail}, Message: text}
}

// Result is what an outcome is counted as: "accepted", "temporary" (the peer may try again) or "refused".
func Result(err error) string {
	var e *Error
	switch {
	case err == nil:
		return "accepted"
	case errors.As(err, &e) && e.Code >= 500:
		return "refused"
	}
	return "temporary"
}

// Mail holds the parameters of a MAIL command.
type Mail struct {
	From       Path
	Size       int64  // declared, in bytes; 0: not declared
	EnvelopeID string // DSN ENVID (RFC 3461, 4.4), decoded
}

// Session is what happens to the mail of one connection. Methods are called one at a time. An error that is not
// an *Error is answered with 451 4.3.0 and logged.
type Session interface {
	// Login has a client prove who it is, by one of the server's mechanisms; first is its first message, ask has it answer
	// challenges. It is called over TLS. sasl.ErrMalformed reports a message that is not of the mechanism; an error of ask may be returned.
	Login(mechanism string, first []byte, ask func(challenge []byte) ([]byte, error)) error
	Mail(Mail) error
	Rcpt(to Path) error
	// Data takes the message. Only io.EOF means that all of it has come. The result holds one error, or over LMTP one
	// for each recipient that Rcpt accepted, in order; nil is success.
	Data(r io.Reader) []error
	// Reset ends a transaction, finished or not.
	Reset()
	Close()
}

// Peer is the other side of a connection.
type Peer struct {
	Conn  Conn
	Hello string // what it calls itself
	TLS   *tls.ConnectionState
	Shown *tls.Certificate // in the handshake; nil: none, or the session was resumed
}

// TLSVersion is "1.2", "1.3" or "" without TLS.
func (p *Peer) TLSVersion() string {
	if p.TLS == nil {
		return ""
	}
	switch p.TLS.Version {
	case tls.VersionTLS13:
		return "1.3"
	case tls.VersionTLS12:
		return "1.2"
	}
	return ""
}

// Conn is a connection whose reads and writes have time limits of their own: see package guard.
type Conn interface {
	net.Conn
	Busy()
	Free()
	Drain()
	Draining() bool
}

// Server is what one listener offers.
type Server struct {
	Hostname        string
	LMTP            bool                        // RFC 2033
	TLS             *tls.Config                 // nil: no TLS
	Implicit        bool                        // TLS from the first byte (RFC 8314)
	RequireTLS      bool                        // nothing but STARTTLS before TLS
	Mechanisms      func() []string             // offered of AUTH (RFC 4954), over TLS only; nil: there is no AUTH
	Takes           func(mechanism string) bool // also those that are not offered; with Mechanisms
	DSN             bool                        // take the parameters of RFC 3461
	MaxMessageBytes int64
	MaxRecipients   int
	Log             *slog.Logger
	// NewSession makes the session of a connection. p changes as the dialogue goes on: with EHLO, with STARTTLS.
	NewSession func(p *Peer) Session
}
