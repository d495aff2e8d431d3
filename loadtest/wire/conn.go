package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Sizes of the buffers a connection borrows, and the longest line it reads.
const (
	ReadBuffer  = 16 << 10
	WriteBuffer = 4 << 10
	MaxLine     = 64 << 10
)

// ErrLineTooLong is returned by ReadLine when a line exceeds MaxLine octets. The connection is of no use after it.
var ErrLineTooLong = errors.New("wire: line longer than 64 KiB")

// ErrBuffered is returned by StartTLS when the peer sent something after its reply: it could have been injected
// before the handshake (CVE-2011-0411).
var ErrBuffered = errors.New("wire: data before the TLS handshake")

// Timeout reports whether err says that a deadline passed.
func Timeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

var (
	readBuffers  = sync.Pool{New: func() any { return new([ReadBuffer]byte) }}
	writeBuffers = sync.Pool{New: func() any { return new([WriteBuffer]byte) }}
)

// Conn is a buffered connection. It belongs to one goroutine at a time; only Close and SetDeadline may be called
// from others.
type Conn struct {
	transport transport
	tls       *tls.Conn
	config    *tls.Config // for StartTLS; nil: none
	host      string

	in         *[ReadBuffer]byte // borrowed while it holds data or a read is under way
	start, end int               // of what is buffered in in
	out        *[WriteBuffer]byte
	pending    int    // octets in out
	long       []byte // a line that does not fit in
	err        error  // sticks: what the last read found
	log        *transcript
	parking    parking
}

func newConn(raw *net.TCPConn, d *Dialer, host string) (*Conn, error) {
	c := &Conn{host: host, config: d.TLS}
	if err := c.transport.open(raw, d.Uplink); err != nil {
		return nil, err
	}
	if d.Transcript {
		c.EnableTranscript()
	}
	return c, nil
}

// ReadLine returns one line without its CRLF (a bare LF is accepted). The slice is valid until the next read.
// Errors: io.EOF, io.ErrUnexpectedEOF (within a line), ErrLineTooLong, a timeout (see Timeout) or the network's.
func (c *Conn) ReadLine() ([]byte, error) {
	c.long = c.long[:0]
	scanned := 0
	for {
		if i := bytes.IndexByte(c.buffered()[scanned:], '\n'); i >= 0 {
			line := c.take(scanned + i + 1)
			if len(c.long)+len(line) > MaxLine+2 {
				return nil, ErrLineTooLong
			}
			if len(c.long) > 0 {
				c.long = append(c.long, line...)
				line = c.long
			}
			line = bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'})
			c.log.line("S: ", line)
			return line, nil
		}
		scanned = c.end - c.start
		if scanned == ReadBuffer {
			c.long = append(c.long, c.take(scanned)...)
			scanned = 0
			if len(c.long) > MaxLine {
				return nil, ErrLineTooLong
			}
		}
		if err := c.fill(); err != nil {
			if err == io.EOF && (scanned > 0 || len(c.long) > 0) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// Read reads what is buffered first, then from the connection. Large reads bypass the buffer.
func (c *Conn) Read(p []byte) (int, error) {
	if c.Buffered() == 0 {
		if len(p) >= ReadBuffer {
			return c.receive(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buffered())
	c.take(n)
	return n, nil
}

// Buffered returns the number of octets that the next reads return without the network.
func (c *Conn) Buffered() int { return c.end - c.start }

func (c *Conn) buffered() []byte {
	if c.in == nil {
		return nil
	}
	return c.in[c.start:c.end]
}

// take consumes n buffered octets and returns them.
func (c *Conn) take(n int) []byte {
	taken := c.in[c.start : c.start+n]
	c.start += n
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	return taken
}

// fill adds to the buffer; there must be room in it.
func (c *Conn) fill() error {
	if c.in == nil {
		c.in = readBuffers.Get().(*[ReadBuffer]byte)
	}
	if c.start > 0 {
		c.end = copy(c.in[:], c.in[c.start:c.end])
		c.start = 0
	}
	n, err := c.receive(c.in[c.end:])
	c.end += n
	return err
}

// receive reads at least one octet or fails.
func (c *Conn) receive(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	var reader io.Reader = &c.transport
	if c.tls != nil {
		reader = c.tls
	}
	for {
		n, err := reader.Read(p)
		if err != nil && !Timeout(err) && !errors.Is(err, errWouldBlock) {
			c.err = err
		}
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// Write buffers p; what does not fit goes out.
func (c *Conn) Write(p []byte) (int, error) {
	c.log.sent(p)
	return c.write(p)
}

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

// Hidden is Write for secrets: the transcript shows "<hidden>" in their place, and also where the peer echoes them.
func (c *Conn) Hidden(p []byte) (int, error) {
	c.log.hide(p)
	return c.write(p)
}

func (c *Conn) write(p []byte) (int, error) {
	if c.pending+len(p) <= WriteBuffer {
		if c.out == nil {
			c.out = writeBuffers.Get().(*[WriteBuffer]byte)
		}
		c.pending += copy(c.out[c.pending:], p)
		return len(p), nil
	}
	if err := c.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what is buffered.
func (c *Conn) Flush() error {
	if c.pending == 0 {
		return nil
	}
	return c.send()
}

// Send is Flush followed by the parts, without copying them where the connection is plain: one system call. Under TLS
// they share records.
func (c *Conn) Send(parts ...[]byte) error {
	for _, p := range parts {
		c.log.sent(p)
	}
	return c.send(parts...)
}

// send writes what is pending, then the parts.
func (c *Conn) send(parts ...[]byte) error {
	if c.pending > 0 {
		parts = append([][]byte{c.out[:c.pending]}, parts...)
	}
	var err error
	if c.tls == nil {
		err = c.transport.writeParts(parts)
	} else {
		err = c.seal(parts)
	}
	c.pending = 0
	if c.out != nil {
		writeBuffers.Put(c.out)
		c.out = nil
	}
	return err
}

// seal gathers the parts into records of the greatest size: each is one encryption and one system call.
func (c *Conn) seal(parts [][]byte) error {
	if len(parts) == 1 {
		_, err := c.tls.Write(parts[0])
		return err
	}
	record := readBuffers.Get().(*[ReadBuffer]byte)
	defer readBuffers.Put(record)
	n := 0
	for _, p := range parts {
		for len(p) > 0 {
			taken := copy(record[n:], p)
			n, p = n+taken, p[taken:]
			if n < len(record) {
				continue
			}
			if _, err := c.tls.Write(record[:n]); err != nil {
				return err
			}
			n = 0
		}
	}
	if n == 0 {
		return nil
	}
	_, err := c.tls.Write(record[:n])
	return err
}

// StartTLS makes the handshake on an open connection, after the peer agreed to it.
func (c *Conn) StartTLS(ctx context.Context) error {
	if c.config == nil {
		return ErrNoTLS
	}
	if c.Buffered() > 0 {
		return ErrBuffered
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return apart(func() error { return c.handshake(ctx) })
}

func (c *Conn) handshake(ctx context.Context) error {
	if c.config == nil {
		return ErrNoTLS
	}
	session := tls.Client(&c.transport, configurationFor(c.config, c.host))
	if err := session.HandshakeContext(ctx); err != nil {
		return err
	}
	c.tls = session
	return nil
}

// SetDeadline bounds all later reads and writes, and those under way; zero: no bound.
func (c *Conn) SetDeadline(t time.Time) error { return c.transport.SetDeadline(t) }

// Within bounds reads and writes by the context until the returned function is called; it must be. What the end of the
// context cuts short fails with a timeout (see Timeout), and the connection is then of no use.
func (c *Conn) Within(ctx context.Context) (done func()) {
	deadline, bounded := ctx.Deadline()
	if bounded || c.transport.bounded {
		c.SetDeadline(deadline)
		c.transport.bounded = bounded
	}
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.SetDeadline(time.Unix(1, 0))
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
			c.SetDeadline(time.Time{})
		}
	}
}

// TLS reports whether the connection is encrypted.
func (c *Conn) TLS() bool { return c.tls != nil }

// LocalAddr returns the source address and port.
func (c *Conn) LocalAddr() net.Addr { return c.transport.LocalAddr() }

// Sent returns the octets sent, TLS included.
func (c *Conn) Sent() int64 { return c.transport.sent.Load() }

// Received returns the octets received, TLS included.
func (c *Conn) Received() int64 { return c.transport.received.Load() }

// Close closes the connection. A parked one is forgotten: its onReady is not called any more.
func (c *Conn) Close() error {
	if p := c.parking.poller.Load(); p != nil {
		p.forget(c)
	}
	return c.transport.Close()
}

// release gives the buffers back; there must be nothing in them.
func (c *Conn) release() {
	if c.in != nil && c.Buffered() == 0 {
		readBuffers.Put(c.in)
		c.in = nil
	}
	if c.out != nil && c.pending == 0 {
		writeBuffers.Put(c.out)
		c.out = nil
	}
	c.long = nil
}
