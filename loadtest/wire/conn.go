package wire

import (
	"context"
	"crypto/tls"
	"errors"
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
}

func newConn(raw *net.TCPConn, d *Dialer, host string) (*Conn, error) {
	c := &Conn{host: host, config: d.TLS}
	if err := c.transport.open(raw, d.Uplink); err != nil {
		return nil, err
	}
	if d.Transcript {
		c.log = &transcript{began: time.Now()}
	}
	return c, nil
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

// Close closes the connection. A parked one is forgotten: its onReady is not called any more.
func (c *Conn) Close() error {
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
