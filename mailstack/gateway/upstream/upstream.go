// Package upstream speaks SMTP, or the protocol of deliveries, to a cell over a stream of its link, and turns what the cell says into replies for
// the peer of the gateway.
package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/gateway/smtp"
	"gouv.tg/messagerie/mailstack/link"
)

// Limits of a dialogue with a cell.
const (
	idleTimeout    = 5 * time.Minute // the agent may be slow in between
	commandTimeout = time.Minute
	storeTimeout   = 5 * time.Minute // from the end of the message to the cell's reply
)

// Unreachable answers for a cell that has no link.
var Unreachable = smtp.Fail(451, 4, 4, 1, "Destination is not reachable at the moment")

var errLost = smtp.Fail(451, 4, 4, 2, "Connection to the destination was lost")

// Client is one submission dialogue with a cell. It is not safe for concurrent use.
type Client struct {
	smtp *gosmtp.Client
	open bool // a transaction is under way
	dead bool
}

// Open starts a submission dialogue. hello is what to call oneself.
func Open(m *cells.Manager, ministry string, h link.Header, hello string) (*Client, error) {
	st, err := m.Open(ministry, h)
	if err != nil {
		return nil, Unreachable
	}
	conn := guard.NewConn(st, idleTimeout)
	c := &Client{smtp: gosmtp.NewClient(conn)}
	c.smtp.CommandTimeout, c.smtp.SubmissionTimeout = commandTimeout, storeTimeout
	if err := c.smtp.Hello(hello); err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot greet cell: %w", err)
	}
	return c, nil
}

// Mail starts a transaction.
func (c *Client) Mail(m smtp.Mail) error {
	err := c.do(func() error {
		return c.smtp.Mail(m.From.String(), &gosmtp.MailOptions{Size: m.Size, EnvelopeID: m.EnvelopeID})
	})
	c.open = err == nil
	return err
}

// Rcpt adds a recipient.
func (c *Client) Rcpt(address string) error {
	return c.do(func() error { return c.smtp.Rcpt(address, nil) })
}

// Dead reports whether the dialogue is over.
func (c *Client) Dead() bool { return c.dead }

// Done ends the transaction, if need be by giving it up at the cell.
func (c *Client) Done() {
	if c.open && !c.dead {
		c.do(c.smtp.Reset)
	}
	c.open = false
}

// Abort ends the dialogue. A message whose end the cell has not seen is not stored.
func (c *Client) Abort() {
	c.dead = true
	c.smtp.Close()
}

// do runs one command. What is not a reply of the cell ends the dialogue.
func (c *Client) do(command func() error) error {
	if c.dead {
		return errLost
	}
	err := command()
	if err == nil {
		return nil
	}
	var reply *gosmtp.SMTPError
	if !errors.As(err, &reply) {
		c.Abort()
		return errLost
	}
	if reply.Code == 421 {
		c.Abort()
	}
	return pass(reply)
}

// pass makes a reply of the cell one of the gateway. The cell closing a stream must not close the agent's connection.
func pass(reply *gosmtp.SMTPError) *smtp.Error {
	out := *reply
	if out.Code == 421 {
		out.Code = 451
	}
	if out.Code < 400 || out.Code > 599 {
		return errLost
	}
	if class := out.Code / 100; out.EnhancedCode[0] != class {
		out.EnhancedCode = gosmtp.EnhancedCode{class, 0, 0}
	}
	return &out
}

var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Data sends prefix and then r. Until r gives io.EOF the cell is not told that the message is complete.
func (c *Client) Data(prefix string, r io.Reader) error {
	var w *gosmtp.DataCommand
	err := c.do(func() (err error) { w, err = c.smtp.Data(); return err })
	c.open = err != nil // the cell forgets the transaction at the message's end, whatever it says to it
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buf)
	src := &source{r: io.MultiReader(strings.NewReader(prefix), r)}
	if _, err := io.CopyBuffer(w, src, buf[:]); err != nil {
		c.Abort()
		var e *smtp.Error
		if src.err != nil && errors.As(src.err, &e) {
			return e
		}
		return errLost
	}
	_, err = w.CloseWithResponse()
	return c.do(func() error { return err })
}

// source remembers whether a copy failed on the reading side.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
