package session

import (
	"bufio"
	"compress/flate"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"gouv.tg/messagerie/test/conformance/imap/response"
)

// Options say how to reach a server.
type Options struct {
	Name    string        // of the connection, in transcripts
	Addr    string        // host:port
	TLS     *tls.Config   // nil: a plain connection; with StartTLS the configuration for later
	Plain   bool          // connect without TLS although TLS is set
	Timeout time.Duration // of each wait for the server
	Log     func(line string)
}

// Command is a command that was sent and not yet completed.
type Command struct {
	Tag  string
	Name string // upper case; UID commands with their second word, as in "UID FETCH"
	Line string
	Sent time.Time
}

// Conn is a connection to a server.
type Conn struct {
	Options
	Model
	Greeting *response.Response
	net      net.Conn
	in       *response.Reader
	out      io.Writer
	flush    func() error
	tags     int
	tagName  string
}

// Dial connects and reads the greeting.
func Dial(o Options) (*Conn, error) {
	conn, err := (&net.Dialer{Timeout: o.Timeout}).Dial("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.TLS != nil && !o.Plain {
		conn = tls.Client(conn, o.TLS)
	}
	c := &Conn{Options: o, net: conn, in: response.NewReader(conn), tagName: "A"}
	c.buffer(conn)
	c.Model.init()
	if c.Greeting, err = c.Next(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("no greeting: %w", err)
	}
	switch {
	case c.Greeting.Tag != "*" || c.Greeting.Type != "OK" && c.Greeting.Type != "PREAUTH" && c.Greeting.Type != "BYE":
		conn.Close()
		return nil, fmt.Errorf("greeting: %s; OK, PREAUTH or BYE accepted", c.Greeting)
	case c.Greeting.Type == "BYE":
		conn.Close()
		return nil, fmt.Errorf("refused: %s", c.Greeting)
	}
	return c, nil
}

func (c *Conn) buffer(w io.Writer) {
	b := bufio.NewWriterSize(w, 64<<10)
	c.out, c.flush = b, b.Flush
}

// Close ends the connection without a word.
func (c *Conn) Close() error { return c.net.Close() }

// NewTag returns a tag that was not used yet.
func (c *Conn) NewTag() string {
	c.tags++
	return fmt.Sprintf("%s%d", c.tagName, c.tags)
}

// Begin notes that a command is about to be sent; the caller writes it with Write.
func (c *Conn) Begin(tag, line string) *Command {
	cmd := &Command{Tag: tag, Name: commandName(line), Line: line, Sent: time.Now()}
	c.begin(cmd)
	return cmd
}

func commandName(line string) string {
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	name := strings.ToUpper(words[0])
	if name == "UID" && len(words) > 1 {
		name += " " + strings.ToUpper(words[1])
	}
	return name
}

// Write sends octets at once.
func (c *Conn) Write(data string) error {
	c.note("C: ", data)
	c.net.SetWriteDeadline(time.Now().Add(c.Timeout))
	if _, err := io.WriteString(c.out, data); err != nil {
		return err
	}
	return c.flush()
}

// ErrViolation says that the response could not be parsed; it is among the Violations too.
var ErrViolation = errors.New("the response is not in the grammar")

// Next returns the next response. A response that is outside of the grammar counts as a violation and is skipped.
func (c *Conn) Next() (*response.Response, error) {
	for {
		c.net.SetReadDeadline(time.Now().Add(c.Timeout))
		raw, err := c.in.Next()
		var syntax *response.SyntaxError
		if errors.As(err, &syntax) {
			c.note("S: ", string(raw))
			c.violate("%v", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		c.note("S: ", string(raw))
		c.Mode.SASL = c.running("AUTHENTICATE")
		r, err := response.Parse(raw, c.Mode)
		if err != nil {
			c.violate("%v", err)
			if tag, rest, _ := strings.Cut(string(raw), " "); c.find(tag) != nil {
				// The command is over all the same.
				word, _, _ := strings.Cut(rest, " ")
				r := &response.Response{Raw: string(raw), Tag: tag, Type: strings.ToUpper(word)}
				c.observe(r)
				return r, nil
			}
			continue
		}
		c.observe(r)
		return r, nil
	}
}

func (c *Conn) note(prefix, data string) {
	if c.Log == nil {
		return
	}
	const bound = 1200
	if len(data) > bound {
		data = data[:bound] + fmt.Sprintf("...(%d octets)", len(data))
	}
	for line := range strings.SplitAfterSeq(data, "\n") {
		if line != "" {
			c.Log(c.Name + " " + prefix + fmt.Sprintf("%q", line))
		}
	}
}

// StartTLS takes the connection into TLS after the server agreed, RFC 9051 section 6.2.1.
func (c *Conn) StartTLS() error {
	if c.in.Buffered() > 0 {
		c.violate("octets after STARTTLS before TLS")
	}
	conn := tls.Client(c.net, c.TLS)
	conn.SetDeadline(time.Now().Add(c.Timeout))
	if err := conn.Handshake(); err != nil {
		return err
	}
	conn.SetDeadline(time.Time{})
	c.net, c.in = conn, response.NewReader(conn)
	c.buffer(conn)
	return nil
}

// ChannelBinding returns the type and data of the channel, RFC 9266 for TLS 1.3 and RFC 5929 for a server's certificate.
func (c *Conn) ChannelBinding() (kind string, data []byte) {
	conn, ok := c.net.(*tls.Conn)
	if !ok {
		return "", nil
	}
	state := conn.ConnectionState()
	if state.Version == tls.VersionTLS13 {
		data, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err == nil {
			return "tls-exporter", data
		}
	}
	return "", nil
}

// Compress starts DEFLATE in both directions after the server agreed, RFC 4978.
func (c *Conn) Compress() error {
	if c.in.Buffered() > 0 {
		c.violate("octets after COMPRESS before compression")
	}
	w, err := flate.NewWriter(c.net, flate.DefaultCompression)
	if err != nil {
		return err
	}
	c.out, c.flush = w, w.Flush
	c.in = response.NewReader(flate.NewReader(c.net))
	return nil
}

// Drained reads until the server closed the connection and returns what came before. It is an error if it does not.
func (c *Conn) Drained() (all []*response.Response, err error) {
	for {
		r, err := c.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return all, nil
		}
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return all, errors.New("the server keeps the connection open")
			}
			return all, nil // a reset is an end as well
		}
		all = append(all, r)
	}
}
