package parking

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// ErrWouldBlock is what a Conn returns that may not wait. crypto/tls leaves a session usable after a temporary net.Error:
// a record of which only a part has come stays where it is.
var ErrWouldBlock net.Error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "parking: would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// Conn is a TCP connection that can be parked and whose reads may be kept from waiting: the transport under TLS.
type Conn struct {
	*net.TCPConn
	Spot

	raw     syscall.RawConn
	limited bool
	waits   bool
	allowed int
}

// Open makes the Conn that of raw.
func (c *Conn) Open(raw *net.TCPConn) (err error) {
	c.TCPConn = raw
	if c.raw, err = raw.SyscallConn(); err != nil {
		return err
	}
	return c.raw.Control(func(fd uintptr) { c.fd = int32(fd) })
}

// Allow has Read not wait from now on, and make at most so many system calls: beyond them, and where nothing is there, it returns
// ErrWouldBlock. It belongs to whoever reads.
func (c *Conn) Allow(reads int) { c.limited, c.waits, c.allowed = true, false, reads }

// Linger is Allow with one read that waits, until the read deadline.
func (c *Conn) Linger() { c.limited, c.waits, c.allowed = true, true, 0 }

// Wait ends Allow: Read waits, as is usual.
func (c *Conn) Wait() { c.limited = false }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if !c.limited {
		return c.TCPConn.Read(b)
	}
	if c.waits {
		c.waits = false
		n, err := c.TCPConn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ErrWouldBlock
		}
		return n, err
	}
	if c.allowed == 0 {
		return 0, ErrWouldBlock
	}
	c.allowed--
	r := readers.Get().(*reader)
	defer readers.Put(r)
	r.b = b
	err := c.raw.Read(r.call)
	n := r.n
	if err == nil {
		err = r.err
	}
	r.b, r.n, r.err = nil, 0, nil
	return n, err
}

// reader is one read that does not wait; they are shared, so that no connection has one of its own.
type reader struct {
	b    []byte
	n    int
	err  error
	call func(fd uintptr) bool
}

var readers = sync.Pool{New: func() any {
	r := &reader{}
	r.call = r.read
	return r
}}

func (r *reader) read(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), r.b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			r.err = ErrWouldBlock
		case err != nil:
			r.err = err
		case n == 0 && len(r.b) > 0:
			r.err = io.EOF
		default:
			r.n = n
		}
		return true
	}
}

// Close closes the connection. A parked one is forgotten: its ready function is not called any more.
func (c *Conn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}
