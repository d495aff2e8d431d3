package link

import (
	"encoding/binary"
	"net"
)

// Fields of a yamux frame header.
const (
	muxHeader   = 12 // bytes
	muxTypeAt   = 1
	muxLengthAt = 8
	muxData     = 0 // the type that has a body
	muxRoom     = 16 << 10
)

// coalescer joins each yamux header with the body that follows it. yamux writes them one after the other, from one
// goroutine, and each write would be a TLS record and a system call of its own.
type coalescer struct {
	net.Conn
	buf []byte // a header that waits for its body; grows to muxRoom at most
}

func (c *coalescer) Write(b []byte) (int, error) {
	if len(c.buf) == 0 && len(b) == muxHeader && b[muxTypeAt] == muxData && binary.BigEndian.Uint32(b[muxLengthAt:]) > 0 {
		c.buf = append(c.buf, b...)
		return len(b), nil
	}
	if len(c.buf) == 0 {
		return c.Conn.Write(b)
	}
	// What does not fit one record with the header goes after it: no copy of a large body.
	n := min(len(b), muxRoom-len(c.buf))
	c.buf = append(c.buf, b[:n]...)
	_, err := c.Conn.Write(c.buf)
	c.buf = c.buf[:0]
	if err == nil && n < len(b) {
		_, err = c.Conn.Write(b[n:])
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}
