package imap

import (
	"encoding/base64"
	"errors"
	"strings"

	"gouv.tg/messagerie/mailstack/gateway/binding"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/login"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
)

// errCancelled reports an exchange that the agent has cancelled (RFC 9051, 6.2.2) or whose line cannot be decoded.
var errCancelled = errors.New("exchange cancelled")

// authenticate is AUTHENTICATE, with or without an initial response (RFC 4959).
func (c *conn) authenticate(cmd command) {
	mechanism := strings.ToUpper(cmd.args[0])
	if !c.srv.Cells.Takes(mechanism) {
		c.respond(cmd.tag, "NO", "[CANNOT] Mechanism not supported")
		return
	}
	if !c.private(cmd.tag) {
		return
	}
	var (
		first []byte
		req   link.AuthRequest
		err   error
	)
	if len(cmd.args) == 2 {
		first, err = decode(strings.TrimPrefix(cmd.args[1], "=")) // "=" is an empty response
	} else {
		first, err = c.ask(nil)
	}
	if err == nil {
		req, err = login.Request(link.AuthRequest{Bindings: c.bindings()}, mechanism, first)
	}
	if err != nil {
		c.cancel(cmd, err)
		return
	}
	c.login(cmd.tag, req, func(challenge []byte) ([]byte, error) {
		response, err := c.ask(challenge)
		if err != nil {
			c.cancel(cmd, err)
		}
		return response, err
	})
}

// cancel answers what is no response, or ends the session.
func (c *conn) cancel(cmd command, err error) {
	if errors.Is(err, sasl.ErrAuthorization) { // RFC 5530, 3
		c.respond(cmd.tag, "NO", "[AUTHORIZATIONFAILED] Nobody may act for another")
		return
	}
	if errors.Is(err, errCancelled) || errors.Is(err, sasl.ErrMalformed) {
		c.bad(cmd.tag, "Authentication exchange cancelled or not understood")
		return
	}
	c.complain(cmd, err)
}

// ask sends a challenge and reads the response.
func (c *conn) ask(challenge []byte) ([]byte, error) {
	if err := c.write("+ " + base64.StdEncoding.EncodeToString(challenge) + "\r\n"); err != nil {
		return nil, err
	}
	line, err := c.r.base64Line()
	if err != nil {
		return nil, err
	}
	return decode(line)
}

// decode is strict; "*", which cancels, is no base64.
func decode(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errCancelled
	}
	return b, nil
}

// bindings are what the agent's connection can be bound to.
func (c *conn) bindings() map[string][]byte {
	if c.tls == nil {
		return nil
	}
	return binding.Data(c.tls.ConnectionState(), c.shown)
}

// login asks for a verdict, and answers it unless ask has answered already.
func (c *conn) login(tag string, req link.AuthRequest, ask cells.Ask) {
	req.Service, req.TLSVersion, req.Enter = link.ServiceIMAP, c.tlsVersion(), true
	answered := false
	v := c.srv.Login.Login(c.ctx, c.raw.RemoteAddr(), req, func(challenge []byte) ([]byte, error) {
		if ask == nil { // LOGIN knows no challenge
			return nil, errCancelled
		}
		response, err := ask(challenge)
		answered = err != nil
		return response, err
	})
	if v.OK {
		c.relayed = c.join(tag, v)
		c.quit = true
		return
	}
	if !answered {
		c.respond(tag, "NO", "["+v.Code+"] "+v.Text)
	}
	if c.logins++; c.logins >= maxLogins && !c.quit {
		c.bye("Too many failed logins")
	}
}
