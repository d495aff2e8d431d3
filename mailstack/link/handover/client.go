package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Limits of the gateway's side.
const (
	commandTimeout = time.Minute
	storeTimeout   = 5 * time.Minute // from the end of the message to the cell's answer
)

// pieceSize is how much of a message is sent at once.
const pieceSize = 16 << 10

// maxHeld bounds the promises that wait for the message, in octets.
const maxHeld = 2 << 10

var pieces = sync.Pool{New: func() any { return new(make([]byte, maxHeld+headerSize+pieceSize+headerSize)) }}

// Client is the gateway's side of a stream. It is not safe for concurrent use. A *smtp.SMTPError is the cell's reply;
// after any other error the stream is of no more use.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	mail *Mail
	to   int    // recipients taken
	held []byte // promises that the cell has not been told of
}

// NewClient starts on a stream just opened.
func NewClient(conn net.Conn) *Client {
	return &Client{conn: conn, r: bufio.NewReaderSize(conn, 512)}
}

// Mail starts a transaction. The cell learns of it with the first recipient, and may refuse it then.
func (c *Client) Mail(m Mail) { c.mail, c.to, c.held = &m, 0, c.held[:0] }

// question makes the question for the next recipient, behind the promises that the cell has not been told of.
func (c *Client) question(to string, promised bool) []byte {
	q := question{To: to, Promised: promised}
	if c.to == 0 {
		q.Mail = c.mail
	}
	return frame(c.held, kindRecipient, q.append)
}

// Promise takes a recipient without asking. The cell learns of it with the next question or the message.
func (c *Client) Promise(to string) error {
	c.held = c.question(to, true)
	c.to++
	if len(c.held) <= maxHeld {
		return nil
	}
	c.conn.SetWriteDeadline(time.Now().Add(commandTimeout))
	defer c.conn.SetWriteDeadline(time.Time{})
	_, err := c.conn.Write(c.held)
	c.held = c.held[:0]
	return err
}

// Rcpt asks for a recipient.
func (c *Client) Rcpt(to string) error {
	frames := c.question(to, false)
	c.held = frames[:0]
	c.conn.SetDeadline(time.Now().Add(commandTimeout))
	defer c.conn.SetDeadline(time.Time{})
	if _, err := c.conn.Write(frames); err != nil {
		return err
	}
	replies, err := c.answer(1)
	if err != nil {
		return err
	}
	if replies[0] == nil {
		c.to++
	}
	return replies[0]
}

// Reset gives the transaction up.
func (c *Client) Reset() error {
	taken := c.to
	c.mail, c.to, c.held = nil, 0, c.held[:0]
	if taken == 0 {
		return nil
	}
	c.conn.SetWriteDeadline(time.Now().Add(commandTimeout))
	defer c.conn.SetWriteDeadline(time.Time{})
	var frame [headerSize]byte
	putHeader(frame[:], kindReset, 0)
	_, err := c.conn.Write(frame[:])
	return err
}

// Data sends prefix and what r gives, and returns a reply for each recipient that was taken, in their order. Unless r ends with
// io.EOF the cell never learns that the message is complete; the error is then that of r. It ends the transaction.
func (c *Client) Data(prefix string, r io.Reader) ([]error, error) {
	if err := c.send(prefix, r); err != nil {
		return nil, err
	}
	taken := c.to
	c.mail, c.to = nil, 0
	c.conn.SetDeadline(time.Now().Add(storeTimeout))
	defer c.conn.SetDeadline(time.Time{})
	return c.answer(taken)
}

// send sends a message in pieces, the first one together with the promises, the last one together with the end.
func (c *Client) send(prefix string, r io.Reader) error {
	pooled := pieces.Get().(*[]byte)
	defer pieces.Put(pooled)
	buf := append((*pooled)[:0], c.held...)
	c.held = c.held[:0]
	for {
		start := len(buf) + headerSize
		text := buf[start : start+pieceSize]
		n := copy(text, prefix)
		prefix = prefix[n:]
		var err error
		for n < len(text) && err == nil {
			var more int
			more, err = r.Read(text[n:])
			n += more
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n > 0 { // no piece is empty
			putHeader(buf[len(buf):start], kindData, n)
			buf = buf[:start+n]
		}
		if err != nil {
			end := len(buf)
			buf = buf[:end+headerSize]
			putHeader(buf[end:], kindEnd, 0)
		}
		if _, failed := c.conn.Write(buf); failed != nil || err != nil {
			return failed
		}
		buf = buf[:0]
	}
}

// answer reads a verdict of n replies.
func (c *Client) answer(n int) ([]error, error) {
	k, size, err := readHeader(c.r)
	if err != nil {
		return nil, err
	}
	if k != kindVerdict {
		return nil, fmt.Errorf("answer of the cell: found a frame of kind %c; accepted: V", k)
	}
	b, err := payload(c.r, size)
	if err != nil {
		return nil, err
	}
	replies, err := parseVerdict(b, n)
	if err != nil {
		return nil, fmt.Errorf("answer of the cell to %d recipients: %w", n, err)
	}
	out := make([]error, n)
	for i, r := range replies {
		out[i] = r.err()
	}
	return out, nil
}
