package smtp

import (
	"maps"
	"strconv"
)

// maxGroup bounds the commands sent before their replies are read, so that neither side fills the other's window while both
// write (RFC 2920, 3.1).
const maxGroup = 100

// transaction is the state of one Send.
type transaction struct {
	client    *Client
	from      string
	to        []string
	size      int
	body      shape
	sender    *Error // MAIL was refused
	data      *Error // DATA was refused
	accepted  int    // recipients, after RCPT
	refused   map[string]*Error
	closing   *Error   // 421: the server closes the connection (RFC 5321, 3.8)
	started   bool     // DATA was answered with 354
	delivered []string // recipients, after the message
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
	for next, end := 0, len(t.to)+2; next < end && t.sender == nil && t.closing == nil; {
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
			if err != nil && t.closing != nil {
				return t.closing
			}
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
	case intermediate && r.code != 354, !intermediate && !r.ok():
		return &ProtocolError{strconv.Itoa(r.code), "2yz to MAIL and RCPT, 354 to DATA"}
	case intermediate:
		t.started = true
	case step > 0:
		t.accepted++
	}
	return nil
}

func (t *transaction) refuse(step int, e *Error) {
	if e.Code == 421 {
		t.closing = e
	}
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
	case t.closing != nil:
		return t.closing
	case t.sender != nil:
		return t.sender
	case t.accepted == 0:
		return t.refused[t.to[0]]
	}
	return t.data
}

// outcome reads the reply to the message.
func (t *transaction) outcome() error {
	r, err := readReply(t.client.conn, false)
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
	t.delivered = make([]string, 0, t.accepted)
	for _, address := range t.to {
		if t.refused[address] == nil {
			t.delivered = append(t.delivered, address)
		}
	}
	return nil
}

// outcomes reads LMTP's replies to the message: one for each accepted recipient, in the order of RCPT.
func (t *transaction) outcomes() error {
	before := maps.Clone(t.refused)
	for _, address := range t.to {
		if before[address] != nil {
			continue
		}
		r, err := readReply(t.client.conn, false)
		switch {
		case err != nil:
			return err
		case r.code >= 400:
			t.refuseRecipient(address, r.err())
		case !r.ok():
			return &ProtocolError{strconv.Itoa(r.code), "2yz to the message"}
		default:
			t.delivered = append(t.delivered, address)
		}
	}
	t.client.open = false
	if len(t.delivered) == 0 {
		return t.refused[t.to[0]]
	}
	return nil
}
