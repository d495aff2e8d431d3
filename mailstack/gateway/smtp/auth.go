package smtp

import (
	"encoding/base64"
	"errors"
	"strings"

	"gouv.tg/messagerie/mailstack/sasl"
)

// errCancelled reports a client that has cancelled AUTH; errBase64 one whose response cannot be decoded (RFC 4954, 4).
var (
	errCancelled = errors.New("authentication cancelled")
	errBase64    = errors.New("response is not base64")
)

// auth is RFC 4954.
func (c *conn) auth(arg string) {
	mechanism, initial, given := strings.Cut(arg, " ")
	mechanism = strings.ToUpper(mechanism)
	switch {
	case c.srv.Mechanisms == nil:
		c.wrong(502, 1, "Command not implemented")
		return
	case c.tls == nil:
		c.reply(Fail(538, 5, 7, 11, "Encryption required for requested authentication mechanism"))
		return
	case !c.greeted:
		c.wrong(503, 1, "EHLO first")
		return
	case c.authed:
		c.wrong(503, 1, "Authenticated already")
		return
	case c.inMail:
		c.wrong(503, 1, "Not in the middle of a transaction")
		return
	case !c.srv.Takes(mechanism):
		c.wrong(504, 4, "Authentication mechanism not supported")
		return
	}
	var first []byte
	var err error
	if given {
		first, err = decodeResponse(strings.TrimPrefix(initial, "=")) // "=" is an empty response
	} else {
		first, err = c.ask(nil)
	}
	if err == nil {
		err = c.session.Login(mechanism, first, c.ask)
	}
	var reply *Error
	switch {
	case err == nil:
		c.authed = true
		c.ok(235, 2, 7, 0, "Authentication succeeded")
	case errors.Is(err, errCancelled):
		c.reply(Fail(501, 5, 7, 0, "Authentication cancelled"))
	case errors.Is(err, errBase64), errors.Is(err, sasl.ErrMalformed):
		c.wrong(501, 2, "Cannot decode the response")
	case !errors.As(err, &reply):
		c.lost(err)
		c.quit = true
	default:
		c.refusedLogin(err)
	}
}

// refusedLogin answers a login that failed.
func (c *conn) refusedLogin(err error) {
	c.refuse(err)
	if c.logins++; c.logins >= maxLogins {
		c.reply(Fail(421, 4, 7, 0, "Too many failed logins"))
	}
}

// ask sends a challenge and reads the response.
func (c *conn) ask(challenge []byte) ([]byte, error) {
	c.line("334 %s", base64.StdEncoding.EncodeToString(challenge))
	line, err := c.readLine(maxAuthLine)
	if err != nil {
		return nil, err
	}
	return decodeResponse(line)
}

func decodeResponse(s string) ([]byte, error) {
	if s == "*" {
		return nil, errCancelled
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}
