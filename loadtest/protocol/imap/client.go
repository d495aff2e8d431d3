// Package imap is an IMAP4rev1/rev2 client for load tests (RFC 3501, 9051; CONDSTORE and QRESYNC, RFC 7162; UIDPLUS, RFC 4315;
// ESEARCH, RFC 4731). It is made to be held by the ten thousand: a client between commands has no buffer of its own, and an idle
// session (RFC 2177) no goroutine.
//
// Every method that takes a context returns by its deadline, or after Limit if it has none. When the context ends while a command is
// under way, the connection is closed, as it is after any error that is no *Error.
package imap

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"unique"

	"gouv.tg/messagerie/loadtest/wire"
)

// Client is one IMAP session. It belongs to one goroutine at a time; Disconnect may be called from any.
type Client struct {
	conn         *wire.Conn
	observer     Observer
	idle         atomic.Pointer[idling]
	renewals     *renewals
	capabilities unique.Handle[string] // " IMAP4REV1 IDLE ", shared by all sessions; "": not known
	tag          uint32
}

// Dial connects, reads the greeting, upgrades to TLS if asked to and learns the server's capabilities.
func Dial(ctx context.Context, d *wire.Dialer, address string, o Options) (*Client, error) {
	conn, err := d.Dial(ctx, address, o.Security == ImplicitTLS)
	if err != nil {
		return nil, fmt.Errorf("imap: dial %s: %w", address, err)
	}
	c := &Client{conn: conn, observer: o.Observer, renewals: &shared}
	c.forget()
	if err := c.greet(ctx, o.Security); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) greet(ctx context.Context, security Security) error {
	if err := c.greeting(ctx); err != nil {
		return err
	}
	if security == StartTLS {
		if c.capabilities.Value() == "" {
			if _, err := c.Capability(ctx); err != nil {
				return err
			}
		}
		if !c.Has("STARTTLS") {
			return ErrNoStartTLS
		}
		if err := c.begin(ctx, "STARTTLS").end(); err != nil {
			return err
		}
		if err := c.conn.StartTLS(ctx); err != nil {
			return fmt.Errorf("imap: STARTTLS: %w", err)
		}
		c.forget() // what was said before the handshake proves nothing (RFC 9051, 6.2.1)
	}
	if c.capabilities.Value() == "" {
		_, err := c.Capability(ctx)
		return err
	}
	return nil
}

// greeting reads "* OK", "* PREAUTH" or "* BYE" (RFC 9051, 7.1.5).
func (c *Client) greeting(ctx context.Context) error {
	m := &command{client: c, ctx: ctx, name: "greeting", sent: true}
	m.start()
	k, err := m.response()
	if err == nil && (k != untagged || m.result.Status == "") {
		err = protocolError("something else than a greeting")
	}
	m.broken(err)
	if m.result.Status == "PREAUTH" {
		m.result.Status = "OK"
	}
	return m.close()
}

// learn replaces the capabilities.
func (c *Client) learn(list string) {
	c.capabilities = unique.Make(" " + strings.ToUpper(strings.Join(strings.Fields(list), " ")) + " ")
}

func (c *Client) forget() { c.capabilities = unique.Make("") }

// Has says whether the server announced a capability, such as "IDLE" or "AUTH=PLAIN", in any case of letters.
func (c *Client) Has(name string) bool {
	return strings.Contains(c.capabilities.Value(), " "+strings.ToUpper(name)+" ")
}

// Capability asks for the capabilities, in upper case (RFC 9051, 6.1.1).
func (c *Client) Capability(ctx context.Context) ([]string, error) {
	if err := c.begin(ctx, "CAPABILITY").end(); err != nil {
		return nil, err
	}
	return strings.Fields(c.capabilities.Value()), nil
}

// Login authenticates with LOGIN (RFC 9051, 6.2.3), after which the capabilities are those of an authenticated session. The password is
// in no error and no transcript. It is not sent to a server that says LOGINDISABLED.
func (c *Client) Login(ctx context.Context, user, password string) error {
	if c.Has("LOGINDISABLED") {
		return &Error{Status: "NO", Code: "PRIVACYREQUIRED", Text: "the server announces LOGINDISABLED"}
	}
	m := c.begin(ctx, "LOGIN")
	m.astring(user)
	m.secret(password)
	before := c.capabilities
	c.forget()
	if err := m.end(); err != nil {
		c.capabilities = before
		return err
	}
	if c.capabilities.Value() == "" {
		_, err := c.Capability(ctx)
		return err
	}
	return nil
}

// Noop gives the server a chance to say what is new.
func (c *Client) Noop(ctx context.Context) error { return c.begin(ctx, "NOOP").end() }

// Logout ends the session and closes the connection.
func (c *Client) Logout(ctx context.Context) error {
	err := c.begin(ctx, "LOGOUT").end()
	if err == ErrIdle {
		return err
	}
	c.conn.Close()
	return err
}

// Disconnect closes the connection without a word. A command under way fails; of an idle session no onEvent begins afterwards,
// unless data was just being read.
func (c *Client) Disconnect() error {
	if s := c.idle.Load(); s != nil {
		return s.disconnect()
	}
	return c.conn.Close()
}

// Conn is the connection, for its counters and its transcript. To close it use Disconnect.
func (c *Client) Conn() *wire.Conn { return c.conn }
