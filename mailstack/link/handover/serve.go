package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/emersion/go-smtp"
)

// Limits of the cell's side.
const (
	readTimeout  = 10 * time.Minute // longer than the gateway's own
	writeTimeout = time.Minute
)

// Session is what becomes of the mail of one stream. Methods are called one at a time. An error that is
// not a *smtp.SMTPError is answered with 451 4.3.0.
type Session interface {
	Mail(Mail) error
	Rcpt(to string) error
	// Data takes the message. Only io.EOF means that all of it has come. The result has one error for each recipient
	// that Rcpt took since Mail, in order; nil is success.
	Data(r io.Reader) []error
	// Reset ends a transaction, finished or not.
	Reset()
}

// Limits are what a message may have.
type Limits struct {
	Octets     int64
	Recipients int // 0: no limit
}

// ErrTooLarge is the reply to a message that has more octets than its Limits.
var ErrTooLarge = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "message is too big"}

// errAgain answers for a message that a broken promise keeps from all its recipients.
var errAgain = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "a recipient cannot be taken any more, try again"}

var errTooMany = &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 5, 3}, Message: "too many recipients"}

// Serve serves a stream until it ends; a gateway that ends it between transactions is no error.
func Serve(conn net.Conn, s Session, l Limits) error {
	c := &server{conn: conn, r: bufio.NewReaderSize(timed{conn}, bufferSize), session: s, limits: l}
	defer s.Reset()
	for {
		if err := c.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

type server struct {
	conn    net.Conn
	r       *bufio.Reader
	session Session
	limits  Limits
	open    bool  // a transaction is under way
	taken   int   // its recipients, as the gateway counts them
	broken  error // why one that was promised cannot be taken
}

// next serves one question or one message.
func (c *server) next() error {
	k, size, err := readHeader(c.r)
	if err != nil {
		return err
	}
	switch {
	case k == kindReset:
		c.reset()
		return nil
	case k == kindRecipient:
		b, err := payload(c.r, size)
		if err != nil {
			return err
		}
		q, err := parseQuestion(b)
		if err != nil {
			return err
		}
		err = c.recipient(q)
		if q.Promised {
			c.promised(err)
			return nil
		}
		if err == nil {
			c.taken++
		}
		return c.verdict([]reply{replyTo(err)})
	case (k == kindData || k == kindEnd) && c.taken > 0:
		return c.message(k, size)
	}
	return fmt.Errorf("frame of the gateway: found kind %c with %d recipients; accepted: R, X, and after R also D, E", k, c.taken)
}

func (c *server) recipient(q question) error {
	if q.Mail != nil {
		c.reset()
		if q.Mail.Size > c.limits.Octets {
			return ErrTooLarge
		}
		if err := c.session.Mail(*q.Mail); err != nil {
			return err
		}
		c.open = true
	}
	switch {
	case c.broken != nil:
		return errAgain
	case !c.open:
		return &smtp.SMTPError{Code: 503, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "no transaction is under way"}
	case c.limits.Recipients > 0 && c.taken >= c.limits.Recipients:
		return errTooMany
	}
	return c.session.Rcpt(q.To)
}

// promised counts a recipient that the gateway has promised, whatever the session says.
func (c *server) promised(err error) {
	if c.taken++; c.broken == nil {
		c.broken = err
	}
}

// message serves the message that a frame of kind k begins.
func (c *server) message(k kind, size int) error {
	m := &message{r: c.r, left: c.limits.Octets, piece: size}
	if k == kindEnd {
		m.err = io.EOF
		m.ended = true
	}
	results := c.deliver(m)
	if err := m.drain(c.limits.Octets); err != nil {
		return err
	}
	if len(results) != c.taken {
		return fmt.Errorf("verdict on a message: found %d results; accepted: %d", len(results), c.taken)
	}
	replies := make([]reply, len(results))
	for i, err := range results {
		replies[i] = replyTo(err)
	}
	c.reset()
	return c.verdict(replies)
}

// deliver gives the session the message, unless a promise was broken.
func (c *server) deliver(m *message) []error {
	switch {
	case c.broken == nil:
		return c.session.Data(m)
	case c.taken == 1:
		return []error{c.broken}
	}
	return slices.Repeat([]error{errAgain}, c.taken)
}

func (c *server) reset() {
	if c.open {
		c.session.Reset()
	}
	c.open, c.taken, c.broken = false, 0, nil
}

func (c *server) verdict(replies []reply) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(frame(nil, kindVerdict, func(b []byte) []byte {
		for _, r := range replies {
			b = r.append(b)
		}
		return b
	}))
	return err
}

// timed gives each read its time limit.
type timed struct{ net.Conn }

func (t timed) Read(b []byte) (int, error) {
	_ = t.SetReadDeadline(time.Now().Add(readTimeout)) // a stream that has ended says how when it is read
	return t.Conn.Read(b)
}
