package imap

import (
	"errors"
	"net"

	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
)

// complain answers what is not a command, or ends the session.
func (c *conn) complain(cmd command, err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, errSyntax):
		if cmd.tag == "" {
			cmd.tag = "*"
		}
		c.bad(cmd.tag, "Syntax error")
		return
	case errors.Is(err, errTooLong), errors.Is(err, errLiteral):
		c.write("* BYE [TOOBIG] Command is too long\r\n")
	case c.raw.Draining():
		c.write("* BYE Server is stopping\r\n")
	case errors.As(err, &timeout) && timeout.Timeout():
		c.write("* BYE Autologout\r\n")
	}
	c.quit = true
}

func (c *conn) bad(tag, text string) {
	c.respond(tag, "BAD", text)
	if c.errors++; c.errors > maxErrors {
		c.bye("Too many errors")
	}
}

func (c *conn) bye(text string) {
	c.write("* BYE " + text + "\r\n")
	c.quit = true
}

// handle answers one command.
func (c *conn) handle(cmd command) {
	switch cmd.name {
	case "CAPABILITY", "NOOP", "LOGOUT":
		if cmd.rest != "" {
			c.bad(cmd.tag, cmd.name+" takes no arguments")
			return
		}
	}
	switch cmd.name {
	case "CAPABILITY":
		c.write("* CAPABILITY " + c.srv.capabilities(c.tls != nil) + "\r\n")
		c.respond(cmd.tag, "OK", "CAPABILITY completed")
	case "NOOP":
		c.respond(cmd.tag, "OK", "NOOP completed")
	case "ID": // RFC 2971; what the client is called is of no interest
		c.write("* ID (\"name\" \"Messagerie\")\r\n")
		c.respond(cmd.tag, "OK", "ID completed")
	case "LOGOUT":
		c.bye("Logging out")
		c.respond(cmd.tag, "OK", "LOGOUT completed")
	case "STARTTLS":
		c.startTLS(cmd)
	case "LOGIN":
		if !c.private(cmd.tag) {
			return
		}
		c.login(cmd.tag, link.AuthRequest{Mechanism: sasl.Plain, User: cmd.args[0], Password: cmd.args[1]}, nil)
	case "AUTHENTICATE":
		c.authenticate(cmd)
	default:
		c.bad(cmd.tag, "Command unknown or not allowed before authentication")
	}
}

// private refuses to take a password in clear text (RFC 9051, 11.2).
func (c *conn) private(tag string) bool {
	if c.tls != nil {
		return true
	}
	c.respond(tag, "NO", "[PRIVACYREQUIRED] Use STARTTLS first")
	return false
}

func (c *conn) startTLS(cmd command) {
	switch {
	case c.tls != nil:
		c.bad(cmd.tag, "TLS is active already")
	case cmd.rest != "":
		c.bad(cmd.tag, "STARTTLS takes no arguments")
	default:
		c.respond(cmd.tag, "OK", "Begin TLS negotiation now")
		c.quit = c.quit || !c.handshake()
	}
}
