package smtp

import (
	"context"
	"strings"
)

// Receipt is the outcome of a transaction for each recipient. Of one that is in neither, nobody knows, or the error is for the whole.
type Receipt struct {
	Accepted []string          // the server answers for their message
	Refused  map[string]*Error // nil when none was
}

// Send is one transaction: MAIL, RCPT for each recipient, and the message, whose lines end in CRLF. It is pipelined
// when the server announced PIPELINING (RFC 2920). DATA is used even when CHUNKING is announced, as most senders do.
//
// Recipients that the server refused are in the Receipt, with LMTP also those it refused after the message (RFC 2033,
// 4.2); err is for the whole. It is an *Error when the sender, all recipients or the message were refused; the session
// can then be used again, unless the code is 421 (RFC 5321, 3.8). It is one of this package's Err values when nothing was sent. After
// anything else the connection is of no use. With every error the Receipt tells what was replied until then: with LMTP some
// recipients may have been accepted before the connection broke.
func (c *Client) Send(ctx context.Context, from string, to []string, message []byte) (Receipt, error) {
	body, err := inspect(message)
	if err == nil {
		err = c.acceptable(from, to, message)
	}
	if err != nil {
		return Receipt{}, err
	}
	defer c.conn.Within(ctx)()
	t := transaction{client: c, from: from, to: to, size: len(message), body: body}
	if err := t.envelope(); err != nil {
		return Receipt{Refused: t.refused}, err
	}
	if !t.started || t.accepted == 0 {
		return Receipt{Refused: t.refused}, t.abandon()
	}
	if err := c.text(message, body); err != nil {
		return Receipt{Refused: t.refused}, err
	}
	if c.lmtp {
		err = t.outcomes()
	} else {
		err = t.outcome()
	}
	return Receipt{t.delivered, t.refused}, err
}

// acceptable refuses what could not be sent as it is.
func (c *Client) acceptable(from string, to []string, message []byte) error {
	if len(to) == 0 {
		return ErrNoRecipients
	}
	if c.size > 0 && int64(len(message)) > c.size {
		return ErrTooLarge
	}
	if !printable(from) {
		return ErrAddress
	}
	for _, address := range to {
		if !printable(address) {
			return ErrAddress
		}
	}
	return nil
}

// printable refuses what would end a command early.
func printable(s string) bool { return !strings.ContainsAny(s, "\r\n\x00<>") }
