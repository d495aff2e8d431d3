package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limit bounds every command whose context has no deadline.
const Limit = 10 * time.Minute

// ErrIdle is returned by every command but Done while the session is idle, and ErrNotIdle by Done while it is not.
var (
	ErrIdle    = errors.New("imap: the session is idle")
	ErrNotIdle = errors.New("imap: the session is not idle")
)

// command is one command under way: its text is gathered, sent at once or, where a literal has to be asked for, in parts,
// and its responses are read up to the tagged one.
type command struct {
	parser
	client *Client
	ctx    context.Context
	name   string
	text   []byte // not yet sent
	sent   bool   // something was: from now on a failure ends the connection
	over   bool   // the tagged response came
	err    error
	stop   func() bool // of what the end of ctx does; nil: ctx does not end before its deadline
	ended  sync.WaitGroup
}

// begin starts a command; arguments are added by its methods, each with a space before it. The first error sticks.
func (c *Client) begin(ctx context.Context, name string) *command {
	m := &command{client: c, ctx: ctx, name: name}
	switch {
	case c.idle.Load() != nil:
		m.err = ErrIdle
	case ctx.Err() != nil:
		m.err = ctx.Err()
	default:
		c.tag++
		m.start()
		m.text = append(append(append(m.text, m.tag...), ' '), name...)
	}
	return m
}

// start makes the parser ready and bounds the connection by the context.
func (m *command) start() {
	c := m.client
	m.src, m.observer, m.tag = c.conn, c.observer, c.tagText()
	deadline, ok := m.ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(Limit)
	}
	c.conn.SetDeadline(deadline)
	if m.ctx.Done() != nil {
		m.ended.Add(1)
		m.stop = context.AfterFunc(m.ctx, func() {
			c.conn.SetDeadline(past)
			m.ended.Done()
		})
	}
}

func (c *Client) tagText() string { return "A" + strconv.FormatUint(uint64(c.tag), 10) }

// past is a deadline that makes whoever uses a connection let go of it.
var past = time.Unix(1, 0)

// refuse fails because of an argument, before anything is sent of it.
func (m *command) refuse(field, found, accepted string) {
	if m.err == nil {
		m.err = fmt.Errorf("imap: %s: found %.80q; accepted is %s", field, found, accepted)
	}
}

// raw adds protocol text: sets, items, criteria.
func (m *command) raw(field, text string) {
	if text == "" || strings.ContainsAny(text, "\r\n\x00") {
		m.refuse(field, text, "text of one line, not empty")
		return
	}
	m.text = append(append(m.text, ' '), text...)
}

// flags adds a list of flags.
func (m *command) flags(flags []string) {
	m.text = append(m.text, " ("...)
	for i, flag := range flags {
		if flag == "" || strings.ContainsFunc(flag, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`(){%*"]`, c) }) {
			m.refuse("flags", flag, `atoms such as "\Seen" or "$Forwarded"`)
			return
		}
		if i > 0 {
			m.text = append(m.text, ' ')
		}
		m.text = append(m.text, flag...)
	}
	m.text = append(m.text, ')')
}

// mailbox adds a mailbox's name, in modified UTF-7 where that is the custom.
func (m *command) mailbox(name string) {
	if name == "" || strings.ContainsRune(name, 0) {
		m.refuse("mailbox", name, "a name, not empty")
		return
	}
	if !m.client.speaksUTF8() {
		name = encodeMailbox(name)
	}
	m.astring(name)
}

// astring adds a string, quoted where RFC 9051 allows it and as a literal where not.
func (m *command) astring(s string) {
	m.text = append(m.text, ' ')
	m.string(s)
}

func (m *command) string(s string) {
	if !quotable(s) {
		m.literal([]byte(s))
		return
	}
	m.text = appendQuoted(m.text, s)
}

// secret is astring for what must not be in the transcript.
func (m *command) secret(s string) {
	m.text = append(m.text, ' ')
	if !quotable(s) {
		m.announce(len(s))
		m.hide([]byte(s))
		return
	}
	m.hide(appendQuoted(nil, s))
}

func (m *command) hide(p []byte) {
	if m.flow(); m.ready() {
		m.sent = true
		_, err := m.client.conn.Hidden(p)
		m.broken(err)
	}
}

const maxQuoted = 1000

func quotable(s string) bool {
	return len(s) <= maxQuoted && !strings.ContainsFunc(s, func(c rune) bool { return c == 0 || c == '\r' || c == '\n' || c > 0x7e })
}

func appendQuoted(text []byte, s string) []byte {
	text = append(text, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			text = append(text, '\\')
		}
		text = append(text, s[i])
	}
	return append(text, '"')
}

// literal adds octets as they are: at once where the server takes non-synchronising literals (RFC 7888), else after its "+".
func (m *command) literal(octets []byte) {
	m.announce(len(octets))
	if m.flow(); m.ready() {
		_, err := m.client.conn.Write(octets)
		m.broken(err)
	}
}

// maxMinus is the largest literal that LITERAL- lets pass unasked (RFC 7888, 5).
const maxMinus = 4096

func (m *command) announce(n int) {
	c := m.client
	if n > MaxLiteral {
		m.refuse("message", fmt.Sprintf("%d octets", n), fmt.Sprintf("%d at most", MaxLiteral))
		return
	}
	unasked := c.Has("LITERAL+") || n <= maxMinus && (c.Has("LITERAL-") || c.Has("IMAP4REV2"))
	m.text = strconv.AppendInt(append(m.text, '{'), int64(n), 10)
	if unasked {
		m.text = append(m.text, "+}\r\n"...)
		return
	}
	m.text = append(m.text, "}\r\n"...)
	m.flow()
	m.flush()
	for m.ready() {
		k, err := m.response()
		m.broken(err)
		switch {
		case k == tagged:
			m.over = true
		case k == continuation:
			return
		}
	}
}

// ready says whether there is a point in going on.
func (m *command) ready() bool { return m.err == nil && !m.over }

// flow passes the text gathered so far to the connection.
func (m *command) flow() {
	if !m.ready() || len(m.text) == 0 {
		return
	}
	m.sent = true
	_, err := m.client.conn.Write(m.text)
	m.broken(err)
	m.text = m.text[:0]
}

func (m *command) flush() {
	if m.ready() {
		m.broken(m.client.conn.Flush())
	}
}

// broken notes that the connection failed. A context that ended is the reason given, as it is what ended the connection.
func (m *command) broken(err error) {
	if err == nil || m.err != nil {
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if err = m.ctx.Err(); err == nil {
			err = context.DeadlineExceeded
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	m.err = fmt.Errorf("imap: %s: %w", m.name, err)
}

// end sends the command and reads responses until the tagged one: nil for OK, an *Error for NO and BAD. After any other error
// the connection is closed, unless nothing had been sent.
func (m *command) end() error {
	m.text = append(m.text, "\r\n"...)
	m.flow()
	m.flush()
	m.finish()
	return m.close()
}

// finish reads up to the tagged response.
func (m *command) finish() {
	for m.ready() {
		k, err := m.response()
		if k == continuation && err == nil {
			err = protocolError("a continuation request that nobody waits for")
		}
		m.broken(err)
		m.over = k == tagged
	}
}

// close gives the connection's deadline back and says how the command ended.
func (m *command) close() error {
	if m.stop != nil && !m.stop() {
		m.ended.Wait() // so that it cannot set the deadline of a later command
	}
	if m.capabilities != "" {
		m.client.learn(m.capabilities)
	}
	if m.err != nil {
		if m.sent {
			m.client.conn.Close()
		}
		return m.err
	}
	if m.result.Status != "OK" {
		refused := m.result
		return &refused
	}
	return nil
}
