// Package line is a connection of a line protocol (RFC 5321, RFC 3501) that costs little while it waits: half a kilobyte of buffer, a
// larger one borrowed while something long comes in, and one for replies borrowed while there are any.
package line

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// MaxLine is the longest line in bytes, its end included.
	MaxLine = 64 << 10
	// FlushAt is the size of pending output, in bytes, at which a writer of much output flushes.
	FlushAt = 32 << 10

	smallBuffer = 512
	// Timeout is how long a peer may be silent or not read: over the 30 minutes of RFC 3501, 5.4.
	timeout = 32 * time.Minute
	refresh = time.Minute // deadlines are set this often at most: each costs a timer
)

// ErrTooLong is a line over MaxLine.
var ErrTooLong = errors.New("line too long")

var (
	inputs  = sync.Pool{New: func() any { b := make([]byte, MaxLine); return &b }}
	outputs = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// Conn is owned by one goroutine at a time; only Push may be called beside a Read that blocks.
type Conn struct {
	// Out is the pending output: append to it. It is written before the next read that has to wait.
	Out []byte

	net      net.Conn
	hold     func()
	small    []byte
	large    *[]byte
	in       []byte // small, or *large
	r, w     int    // in[r:w] is unread
	box      *[]byte
	deadline time.Time
}

// New takes a connection; hold, if any, is called before every write.
func New(c net.Conn, hold func()) *Conn {
	small := make([]byte, smallBuffer)
	out := outputs.Get().(*[]byte)
	return &Conn{net: c, hold: hold, small: small, in: small, box: out, Out: (*out)[:0]}
}

// Net is the connection underneath.
func (c *Conn) Net() net.Conn { return c.net }

// Upgrade goes on with another connection on top of the one underneath. Nothing may be buffered.
func (c *Conn) Upgrade(to net.Conn) { c.net, c.deadline = to, time.Time{} }

// Buffered is the number of bytes received and not read.
func (c *Conn) Buffered() int { return c.w - c.r }

// ReadLine reads a line and returns it without its end (CRLF; a bare LF is taken too), valid until the next read.
func (c *Conn) ReadLine() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(c.in[c.r+seen:c.w], '\n'); i >= 0 {
			line := c.in[c.r : c.r+seen+i]
			c.r += seen + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		seen = c.w - c.r
		if seen >= MaxLine {
			return nil, ErrTooLong
		}
		if err := c.fill(seen >= smallBuffer); err != nil {
			return nil, err
		}
	}
}

// Peek returns what is buffered, after a read if nothing is: bulk, so at most MaxLine bytes and rarely few. Skip takes it.
func (c *Conn) Peek() ([]byte, error) {
	if c.r == c.w {
		if err := c.fill(true); err != nil {
			return nil, err
		}
	}
	return c.in[c.r:c.w], nil
}

// Skip takes n bytes that Peek returned.
func (c *Conn) Skip(n int) { c.r += n }

// Copy reads n bytes and gives them to take in pieces.
func (c *Conn) Copy(n int64, take func(p []byte)) error {
	for n > 0 {
		p, err := c.Peek()
		if err != nil {
			return err
		}
		p = p[:min(int64(len(p)), n)]
		take(p)
		c.Skip(len(p))
		n -= int64(len(p))
	}
	return nil
}

// fill reads once, with at least one byte of room, after writing what is pending.
func (c *Conn) fill(bulk bool) error {
	if err := c.Flush(); err != nil {
		return err
	}
	switch unread := c.w - c.r; {
	case bulk && c.large == nil:
		c.large = inputs.Get().(*[]byte)
		copy(*c.large, c.in[c.r:c.w])
		c.in, c.r, c.w = *c.large, 0, unread
	case !bulk && c.large != nil && unread <= smallBuffer/2:
		copy(c.small, c.in[c.r:c.w])
		c.in, c.r, c.w = c.small, 0, unread
		inputs.Put(c.large)
		c.large = nil
	case c.r > 0:
		copy(c.in, c.in[c.r:c.w])
		c.r, c.w = 0, unread
	}
	if err := c.refreshDeadline(); err != nil {
		return err
	}
	n, err := c.net.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		c.box = outputs.Get().(*[]byte)
		c.Out = (*c.box)[:0]
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Flush writes the pending output and gives its buffer back if it did not grow beyond reason.
func (c *Conn) Flush() error {
	var err error
	if len(c.Out) > 0 {
		if c.hold != nil {
			c.hold()
		}
		if err = c.refreshDeadline(); err == nil {
			_, err = c.net.Write(c.Out)
		}
	}
	if c.box != nil {
		if cap(c.Out) <= 2*FlushAt {
			*c.box = c.Out[:0]
		}
		outputs.Put(c.box)
	}
	c.box, c.Out = nil, nil
	return err
}

// FlushLong flushes when much output is pending, for replies of any length in bounded memory.
func (c *Conn) FlushLong() error {
	if len(c.Out) < FlushAt {
		return nil
	}
	if err := c.Flush(); err != nil {
		return err
	}
	c.box = outputs.Get().(*[]byte)
	c.Out = (*c.box)[:0]
	return nil
}

// Push writes what compose appends, while another goroutine waits in a read with nothing pending.
func (c *Conn) Push(compose func(out []byte) []byte) error {
	box := outputs.Get().(*[]byte)
	out := compose((*box)[:0])
	var err error
	if len(out) > 0 {
		if c.hold != nil {
			c.hold()
		}
		_, err = c.net.Write(out)
	}
	if cap(out) <= 2*FlushAt {
		*box = out[:0]
	}
	outputs.Put(box)
	return err
}

// Close closes the connection, with TLS's farewell, and gives the buffers back.
func (c *Conn) Close() {
	_ = c.net.Close() // the session is over either way
	if c.box != nil {
		outputs.Put(c.box)
	}
	if c.large != nil {
		inputs.Put(c.large)
	}
	c.box, c.Out, c.large, c.in = nil, nil, nil, nil
}

func (c *Conn) refreshDeadline() error {
	now := time.Now()
	if c.deadline.Sub(now) > timeout-refresh {
		return nil
	}
	c.deadline = now.Add(timeout)
	return c.net.SetDeadline(c.deadline)
}
