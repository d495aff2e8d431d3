package smtp

import (
	"context"
	"strconv"
	"strings"
)

// maxGroup bounds the commands sent before their replies are read, so that neither side fills the other's window while both
// write (RFC 2920, 3.1).
const maxGroup = 100

// Receipt is the outcome of a transaction.
type Receipt struct {
	Refused map[string]*Error // by recipient; nil when all were accepted
	Reply   string            // the text of the last positive reply: servers put their name for the message there
}

// Send is one transaction: MAIL, RCPT for each recipient, and the message, whose lines end in CRLF. It is pipelined
// when the server announced PIPELINING (RFC 2920). DATA is used even when CHUNKING is announced, as most senders do.
//
// Recipients that the server refused are in the Receipt, with LMTP also those it refused after the message (RFC 2033,
// 4.2); err is for the whole. It is an *Error when the sender, all recipients or the message were refused; the session
// can then be used again, unless the code is 421, and the Receipt still tells each recipient's refusal. It is one of this
// package's Err values when nothing was sent. After anything else the connection is of no use.
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
		return Receipt{}, err
	}
	if !t.started || t.accepted == 0 {
		return Receipt{Refused: t.refused}, t.abandon()
	}
	if err := c.text(message, body); err != nil {
		return Receipt{}, err
	}
	if c.lmtp {
		err = t.outcomes()
	} else {
		err = t.outcome()
	}
	return Receipt{Refused: t.refused, Reply: t.last}, err
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

// transaction is the state of one Send.
type transaction struct {
	client   *Client
	from     string
	to       []string
	size     int
	body     shape
	sender   *Error // MAIL was refused
	data     *Error // DATA was refused
	accepted int    // recipients
	refused  map[string]*Error
	first    *Error // of refused
	started  bool   // DATA was answered with 354
	last     string // text of the last positive reply to the message
}

// envelope sends MAIL, RCPT and DATA in groups and reads their replies.
func (t *transaction) envelope() error {
	c := t.client
	group := 1
	if c.pipelining {
		group = maxGroup
	}
	if err := c.clean(); err != nil {
		return err
	}
	c.open = true // until the message has its reply
	for next, end := 0, len(t.to)+2; next < end && t.sender == nil; {
		if next == end-1 && t.accepted == 0 {
			return nil
		}
		first := next
		for ; next < end && next-first < group; next++ {
			c.conn.Write(t.command(next))
		}
		if err := c.conn.Flush(); err != nil {
			return err
		}
		if err := c.skipReset(); err != nil {
			return err
		}
		for i := first; i < next; i++ {
			r, err := readReply(c.conn, false)
			if err == nil {
				err = t.take(i, r)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// command returns the step's command: MAIL, then the recipients', then DATA. It is valid until the next call.
func (t *transaction) command(step int) []byte {
	c := t.client
	line := c.line[:0]
	switch step {
	case 0:
		line = append(append(line, "MAIL FROM:<"...), t.from...)
		line = append(line, '>')
		if c.announcesSize {
			line = strconv.AppendInt(append(line, " SIZE="...), int64(t.size), 10)
		}
		if t.body.eightBit && c.eightBit {
			line = append(line, " BODY=8BITMIME"...) // RFC 6152
		}
		if c.utf8 && t.international() {
			line = append(line, " SMTPUTF8"...) // RFC 6531
		}
	case len(t.to) + 1:
		line = append(line, "DATA"...)
	default:
		line = append(append(line, "RCPT TO:<"...), t.to[step-1]...)
		line = append(line, '>')
	}
	c.line = append(line, "\r\n"...)
	return c.line
}

func (t *transaction) international() bool {
	if !ascii(t.from) {
		return true
	}
	for _, address := range t.to {
		if !ascii(address) {
			return true
		}
	}
	return false
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// take notes the reply to a step.
func (t *transaction) take(step int, r reply) error {
	intermediate := step == len(t.to)+1
	switch {
	case r.code >= 400:
		t.refuse(step, r.err())
	case intermediate != (r.code == 354):
		return &ProtocolError{strconv.Itoa(r.code), "2yz to MAIL and RCPT, 354 to DATA"}
	case intermediate:
		t.started = true
	case step > 0:
		t.accepted++
	}
	return nil
}

func (t *transaction) refuse(step int, e *Error) {
	switch step {
	case 0:
		t.sender = e
	case len(t.to) + 1:
		t.data = e
	default:
		t.refuseRecipient(t.to[step-1], e)
	}
}

func (t *transaction) refuseRecipient(address string, e *Error) {
	if t.refused == nil {
		t.refused = make(map[string]*Error)
		t.first = e
	}
	t.refused[address] = e
}

// abandon ends a transaction without a message and tells why. A server that wants the message although it refused all
// recipients gets the lone dot (RFC 2920, 3.1); whatever it replies, nothing was delivered.
func (t *transaction) abandon() error {
	c := t.client
	if t.started {
		if c.lmtp {
			return &ProtocolError{"354", "503 after no recipient was accepted"} // RFC 2033, 4.2: no reply would follow
		}
		c.conn.WriteString(".\r\n")
		if err := c.conn.Flush(); err != nil {
			return err
		}
		if _, err := readReply(c.conn, false); err != nil {
			return err
		}
	}
	switch {
	case t.sender != nil:
		return t.sender
	case t.accepted == 0:
		return t.first
	}
	return t.data
}

// outcome reads the reply to the message.
func (t *transaction) outcome() error {
	r, err := readReply(t.client.conn, true)
	if err != nil {
		return err
	}
	t.client.open = false
	switch {
	case r.code >= 400:
		return r.err()
	case !r.ok():
		return &ProtocolError{strconv.Itoa(r.code), "2yz to the message"}
	}
	t.last = r.text
	return nil
}

// outcomes reads LMTP's replies to the message: one for each accepted recipient, in the order of RCPT.
func (t *transaction) outcomes() error {
	before := t.refused
	t.refused, t.first, t.accepted = nil, nil, 0
	for _, address := range t.to {
		if e := before[address]; e != nil {
			t.refuseRecipient(address, e)
			continue
		}
		r, err := readReply(t.client.conn, true)
		switch {
		case err != nil:
			return err
		case r.code >= 400:
			t.refuseRecipient(address, r.err())
		case !r.ok():
			return &ProtocolError{strconv.Itoa(r.code), "2yz to the message"}
		default:
			t.accepted++
			t.last = r.text
		}
	}
	t.client.open = false
	if t.accepted == 0 {
		return t.first
	}
	return nil
}
