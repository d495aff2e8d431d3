package smtp

import (
	"context"
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"

	"gouv.tg/messagerie/loadtest/wire"
)

// Security says how a session is encrypted.
type Security int

// Values of Security.
const (
	Plain       Security = iota
	StartTLS             // RFC 3207; the session fails when the server does not offer it
	ImplicitTLS          // RFC 8314
)

// Options of a session.
type Options struct {
	Security Security
	Hello    string // the client's name in EHLO or LHLO; empty: its address literal
	LMTP     bool   // RFC 2033
}

// Client is a session. It belongs to one goroutine at a time.
type Client struct {
	conn       *wire.Conn
	lmtp       bool
	hello      string
	extensions map[string]string // name in capitals: parameters
	size       int64             // RFC 1870; 0: no limit known
	line       []byte            // the command being written

	pipelining, announcesSize, eightBit, utf8 bool

	open     bool // a transaction was begun and not ended: RSET comes first
	resetDue bool // RSET was written, its reply not read
}

// Dial opens a session: connection, greeting, EHLO, and with StartTLS the handshake and EHLO again. A refusal is an
// *Error.
func Dial(ctx context.Context, d *wire.Dialer, address string, o Options) (*Client, error) {
	conn, err := d.Dial(ctx, address, o.Security == ImplicitTLS)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, lmtp: o.LMTP, hello: o.Hello}
	if c.hello == "" {
		c.hello = literal(conn)
	}
	if err := c.begin(ctx, o.Security); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) begin(ctx context.Context, security Security) error {
	defer c.conn.Within(ctx)()
	if !printable(c.hello) {
		return ErrAddress
	}
	greeting, err := readReply(c.conn, true)
	if err != nil {
		return err
	}
	if !greeting.ok() {
		return greeting.err()
	}
	if err := c.greet(); err != nil {
		return err
	}
	if security != StartTLS {
		return nil
	}
	if !c.Supports("STARTTLS") {
		return ErrNoStartTLS
	}
	if err := c.command("STARTTLS"); err != nil {
		return err
	}
	if err := c.conn.StartTLS(ctx); err != nil {
		return err
	}
	return c.greet() // what was announced in the clear is forgotten (RFC 3207, 4.2)
}

// greet says EHLO, or HELO to a server that does not know it (RFC 5321, 4.1.1.1).
func (c *Client) greet() error {
	verb := "EHLO"
	if c.lmtp {
		verb = "LHLO"
	}
	r, err := c.exchange(verb + " " + c.hello)
	if err != nil {
		return err
	}
	if !c.lmtp && (r.code == 500 || r.code == 502) {
		c.announced("")
		return c.command("HELO " + c.hello)
	}
	if !r.ok() {
		return r.err()
	}
	_, extensions, _ := strings.Cut(r.text, "\n")
	c.announced(extensions)
	return nil
}

// announced remembers the extensions, one a line.
func (c *Client) announced(lines string) {
	c.extensions = make(map[string]string)
	for line := range strings.SplitSeq(lines, "\n") {
		name, parameters, _ := strings.Cut(line, " ")
		if name != "" {
			c.extensions[strings.ToUpper(name)] = parameters
		}
	}
	c.pipelining, c.announcesSize = c.Supports("PIPELINING"), c.Supports("SIZE")
	c.eightBit, c.utf8 = c.Supports("8BITMIME"), c.Supports("SMTPUTF8")
	c.size, _ = strconv.ParseInt(c.extensions["SIZE"], 10, 64)
}

// Supports reports whether the server announced the extension, such as "PIPELINING".
func (c *Client) Supports(extension string) bool {
	_, ok := c.extensions[strings.ToUpper(extension)]
	return ok
}

// Auth authenticates with AUTH PLAIN and an initial response (RFC 4954, RFC 4616). A refusal is an *Error.
func (c *Client) Auth(ctx context.Context, user, password string) error {
	if !containsWord(c.extensions["AUTH"], "PLAIN") {
		return ErrNoAuth
	}
	defer c.conn.Within(ctx)()
	plain := []byte("\x00" + user + "\x00" + password)
	c.conn.WriteString("AUTH PLAIN ")
	c.conn.Hidden(base64.StdEncoding.AppendEncode(nil, plain))
	return c.command("")
}

func containsWord(list, word string) bool {
	for found := range strings.FieldsSeq(list) {
		if strings.EqualFold(found, word) {
			return true
		}
	}
	return false
}

// clean writes RSET before a transaction when the last one was left open; a pipelined one is sent with what follows.
func (c *Client) clean() error {
	if !c.open {
		return nil
	}
	c.resetDue = true
	c.conn.WriteString("RSET\r\n")
	if c.pipelining {
		return nil
	}
	if err := c.conn.Flush(); err != nil {
		return err
	}
	return c.skipReset()
}

// skipReset reads the reply to the RSET of clean.
func (c *Client) skipReset() error {
	if !c.resetDue {
		return nil
	}
	c.resetDue = false
	_, err := readReply(c.conn, false)
	return err
}

// Quit says goodbye and closes the connection.
func (c *Client) Quit(ctx context.Context) error {
	defer c.conn.Close()
	defer c.conn.Within(ctx)()
	return c.command("QUIT")
}

// Close closes the connection without a word.
func (c *Client) Close() error { return c.conn.Close() }

// Conn is the connection, for its counters, its transcript and parking between transactions.
func (c *Client) Conn() *wire.Conn { return c.conn }

// command sends a line and wants a positive reply; anything else is an *Error.
func (c *Client) command(line string) error {
	r, err := c.exchange(line)
	if err != nil {
		return err
	}
	if !r.ok() {
		return r.err()
	}
	return nil
}

func (c *Client) exchange(line string) (reply, error) {
	c.conn.WriteString(line)
	c.conn.WriteString("\r\n")
	if err := c.conn.Flush(); err != nil {
		return reply{}, err
	}
	return readReply(c.conn, true)
}

// literal is the address literal of the connection's source (RFC 5321, 4.1.3).
func literal(conn *wire.Conn) string {
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return "[127.0.0.1]"
	}
	if a := at.Addr().Unmap(); a.Is4() {
		return "[" + a.String() + "]"
	}
	return "[IPv6:" + at.Addr().WithZone("").String() + "]"
}
