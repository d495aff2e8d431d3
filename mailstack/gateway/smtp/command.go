package smtp

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

// command answers one command line (RFC 5321, 4.1).
func (c *conn) command(ctx context.Context, line string) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if c.srv.RequireTLS && c.tls == nil {
		switch verb {
		case "EHLO", "HELO", "NOOP", "RSET", "QUIT", "STARTTLS":
		case "AUTH": // answered below
		default:
			c.reply(Fail(530, 5, 7, 0, "Must issue a STARTTLS command first")) // RFC 3207, 4
			return
		}
	}
	switch verb {
	case "EHLO", "HELO", "LHLO":
		c.hello(verb, arg)
	case "STARTTLS":
		c.startTLS(ctx, arg)
	case "AUTH":
		c.auth(arg)
	case "MAIL":
		c.mail(arg)
	case "RCPT":
		c.rcpt(arg)
	case "DATA":
		c.data(arg)
	case "RSET":
		c.reset()
		c.ok(250, 2, 0, 0, "OK")
	case "NOOP":
		c.ok(250, 2, 0, 0, "OK")
	case "VRFY":
		c.ok(252, 2, 5, 0, "Cannot verify, but will take mail and try")
	case "HELP":
		c.ok(214, 2, 0, 0, "See RFC 5321")
	case "QUIT":
		c.ok(221, 2, 0, 0, c.srv.Hostname+" closes")
		c.quit = true
	default:
		c.wrong(500, 2, "Command not recognized")
	}
}

func (c *conn) hello(verb, name string) {
	if c.srv.LMTP != (verb == "LHLO") { // RFC 2033, 4.1
		c.wrong(500, 1, "Command not recognized here")
		return
	}
	name, _, _ = strings.Cut(strings.TrimSpace(name), " ")
	if name == "" || len(name) > maxDomain {
		c.wrong(501, 4, "A domain name or address literal is needed")
		return
	}
	c.reset()
	c.greeted, c.peer.Hello = true, name
	if verb == "HELO" {
		c.line("250 %s", c.srv.Hostname)
		return
	}
	lines := []string{c.srv.Hostname, "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"}
	if c.srv.TLS != nil && c.tls == nil {
		lines = append(lines, "STARTTLS")
	}
	if c.srv.Mechanisms != nil && c.tls != nil {
		lines = append(lines, "AUTH "+strings.Join(c.srv.Mechanisms(), " "))
	}
	if c.srv.DSN {
		lines = append(lines, "DSN")
	}
	if c.srv.MaxRecipients > 0 {
		lines = append(lines, "LIMITS RCPTMAX="+strconv.Itoa(c.srv.MaxRecipients)) // RFC 9422
	}
	size := "SIZE"
	if c.srv.MaxMessageBytes > 0 {
		size += " " + strconv.FormatInt(c.srv.MaxMessageBytes, 10)
	}
	for _, l := range lines {
		c.line("250-%s", l)
	}
	c.line("250 %s", size)
}

// startTLS is RFC 3207. After it the dialogue starts anew, but for the greeting.
func (c *conn) startTLS(ctx context.Context, arg string) {
	switch {
	case c.srv.TLS == nil:
		c.wrong(502, 1, "Command not implemented")
		return
	case c.tls != nil:
		c.wrong(503, 1, "TLS is active already")
		return
	case arg != "":
		c.wrong(501, 4, "No parameters are allowed")
		return
	}
	c.reset()
	c.ok(220, 2, 0, 0, "Ready to start TLS")
	if c.w.Flush() != nil || !c.handshake(ctx) {
		c.quit = true
		return
	}
	c.session.Close()
	c.greeted, c.peer.Hello = false, ""
	c.session = c.srv.NewSession(c.peer)
}

func (c *conn) mail(arg string) {
	switch {
	case !c.greeted:
		c.wrong(503, 1, "EHLO first")
		return
	case c.inMail:
		c.wrong(503, 1, "A transaction is under way")
		return
	case c.srv.Mechanisms != nil && !c.authed:
		c.reply(Fail(530, 5, 7, 0, "Authentication required"))
		return
	case c.raw.Draining():
		c.reply(Fail(421, 4, 3, 2, c.srv.Hostname+" is stopping"))
		return
	}
	from, params, ok := c.path(arg, "FROM:")
	if !ok {
		return
	}
	if from.Domain == "" && !from.Null() {
		c.wrong(501, 2, "Syntax: MAIL FROM:<address>")
		return
	}
	m := Mail{From: from}
	err := c.srv.mailParameters(&m, params)
	if err == nil {
		c.raw.Busy()
		err = c.session.Mail(m)
	}
	if err != nil {
		c.raw.Free()
		c.refuse(err)
		return
	}
	c.inMail = true
	c.ok(250, 2, 1, 0, "OK")
}

func (c *conn) rcpt(arg string) {
	if !c.inMail {
		c.wrong(503, 1, "MAIL first")
		return
	}
	to, params, ok := c.path(arg, "TO:")
	if !ok {
		return
	}
	if to.Null() {
		c.wrong(501, 2, "Syntax: RCPT TO:<address>")
		return
	}
	if c.srv.MaxRecipients > 0 && c.rcpts >= c.srv.MaxRecipients {
		c.reply(Fail(452, 4, 5, 3, "Too many recipients"))
		return
	}
	err := c.srv.rcptParameters(params)
	if err == nil {
		err = c.session.Rcpt(to)
	}
	if err != nil {
		c.refuse(err)
		if c.refusals++; c.refusals > maxRefusals {
			c.reply(Fail(421, 4, 7, 0, "Too many refused recipients"))
		}
		return
	}
	c.rcpts++
	c.ok(250, 2, 1, 5, "OK")
}

// path reads the argument of MAIL or RCPT and answers when it is wrong.
func (c *conn) path(arg, keyword string) (p Path, params map[string]string, ok bool) {
	arg = strings.TrimSpace(arg)
	if len(arg) < len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) {
		c.wrong(501, 2, "Syntax: "+keyword+"<address>")
		return p, nil, false
	}
	p, rest, err := parsePath(strings.TrimLeft(arg[len(keyword):], " "))
	if errors.Is(err, errUTF8) {
		c.reply(Fail(553, 5, 6, 7, "Address is not ASCII")) // RFC 6531, 3.5
		return p, nil, false
	}
	if err != nil {
		c.wrong(501, 2, "Syntax: "+keyword+"<address>")
		return p, nil, false
	}
	params, ok = parseParameters(rest)
	if !ok {
		c.wrong(501, 4, "Cannot understand the parameters")
	}
	return p, params, ok
}

func (c *conn) data(arg string) {
	switch {
	case arg != "":
		c.wrong(501, 4, "No parameters are allowed")
		return
	case !c.inMail:
		c.wrong(503, 1, "MAIL first")
		return
	case c.rcpts == 0:
		c.reply(Fail(554, 5, 5, 1, "No valid recipients")) // RFC 5321, 3.3
		return
	}
	c.line("354 End data with <CRLF>.<CRLF>")
	if c.w.Flush() != nil {
		c.quit = true
		return
	}
	d := newDataReader(c.r, c.srv.MaxMessageBytes)
	results := c.session.Data(d)
	if err := d.drain(max(c.srv.MaxMessageBytes, 1<<20)); err != nil {
		// Gone, or sending without end: nobody waits for an answer, but one may still read it.
		if errors.Is(err, errTooLarge) {
			c.refuse(errTooLarge)
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			c.lost(err)
		}
		c.quit = true
		return
	}
	for _, err := range results {
		if err != nil {
			c.refuse(err)
		} else {
			c.ok(250, 2, 6, 0, "OK, stored")
		}
	}
	if c.w.Flush() != nil { // before a stop may cut the connection
		c.quit = true
	}
	c.reset()
}

func (c *conn) reset() {
	if c.inMail {
		c.session.Reset()
	}
	c.inMail, c.rcpts = false, 0
	c.raw.Free()
}
