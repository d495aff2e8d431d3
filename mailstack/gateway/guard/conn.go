// Package guard protects the gateway's listeners: how many connections there may be, how long each may keep silent,
// how many logins may fail, and how all of them end when the gateway stops.
package guard

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"gouv.tg/messagerie/parking"
)

// maxWrite is the longest that a peer may take nothing of what it is sent.
const maxWrite = 5 * time.Minute

// Conn is a connection whose every read and write has a time limit. A deadline set from outside goes before it.
type Conn struct {
	net.Conn
	listener *Listener     // nil: belongs to none
	spot     *parking.Conn // the same connection, if it can be parked

	mu       sync.Mutex
	idle     time.Duration
	until    time.Time     // absolute limit of reads, when not zero
	writable time.Duration // until when, since start, writes are allowed at least; 0: not set
	ready    func()        // see Park; nil: not parked
	since    time.Duration // when it was parked, since start
	flags    flags
}

// flags are the states of a Conn.
type flags uint16

const (
	limited     flags = 1 << iota // has a place of the listener's Limits
	explicitIn                    // a read deadline was set from outside
	explicitOut                   // and one for writes
	armed                         // the connection has a read deadline
	impatient                     // see Allow
	stopped                       // no read succeeds any more
	draining
	busy
	kept // see Keep
	closed
)

func (f flags) any(which flags) bool { return f&which != 0 }

// start is what times are counted from; they cost 8 octets that way.
var start = time.Now()

// NewConn limits each read and each write of c to idle.
func NewConn(c net.Conn, idle time.Duration) *Conn { return &Conn{Conn: c, idle: idle} }

// SetIdle changes the limit of reads and writes that start from now on and lifts that of SetUntil.
func (c *Conn) SetIdle(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle, c.until = d, time.Time{}
}

// SetUntil limits all reads together: a peer that sends a byte now and then cannot stay for ever in a first phase.
func (c *Conn) SetUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
}

func (c *Conn) Read(b []byte) (int, error) {
	if err := c.armRead(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if c.listener != nil && c.listener.Traffic != nil {
		c.listener.Traffic.Read.Add(int64(n))
	}
	return n, err
}

func (c *Conn) armRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flags.any(stopped) {
		return os.ErrDeadlineExceeded
	}
	if c.flags.any(explicitIn | impatient) {
		return nil
	}
	t := time.Now().Add(c.idle)
	if !c.until.IsZero() && c.until.Before(t) {
		t = c.until
	}
	c.flags |= armed
	return c.Conn.SetReadDeadline(t)
}

func (c *Conn) Write(b []byte) (int, error) {
	c.armWrite()
	n, err := c.Conn.Write(b)
	if c.listener != nil && c.listener.Traffic != nil {
		c.listener.Traffic.Sent.Add(int64(n))
	}
	return n, err
}

// armWrite sees to it that a write has between half of the limit and all of it: most find the deadline of an earlier one.
func (c *Conn) armWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flags.any(explicitOut) {
		return
	}
	limit, now := min(c.idle, maxWrite), time.Since(start)
	if left := c.writable - now; left < limit/2 || left > limit {
		c.writable = now + limit
		c.Conn.SetWriteDeadline(time.Now().Add(limit))
	}
}

// SetReadDeadline goes before the idle limit until it is set to zero.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flags.any(stopped) {
		return nil
	}
	c.flags &^= explicitIn
	c.flags |= armed
	if !t.IsZero() {
		c.flags |= explicitIn
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline goes before the idle limit until it is set to zero.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags &^= explicitOut
	c.writable = 0
	if !t.IsZero() {
		c.flags |= explicitOut
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// Busy marks a transaction that a stop must let finish.
func (c *Conn) Busy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags |= busy
}

// Free ends Busy. On a connection that is being drained no read succeeds from then on.
func (c *Conn) Free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags &^= busy
	if c.flags.any(draining) {
		c.interrupt()
	}
}

// Drain ends the connection as soon as it is not busy: reads fail with a timeout, writes still succeed, so that
// the protocol can say goodbye.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags |= draining
	if !c.flags.any(busy) {
		c.interrupt()
	}
}

// Draining reports whether Drain was called.
func (c *Conn) Draining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flags.any(draining)
}

// interrupt ends reading for good. mu is held.
func (c *Conn) interrupt() {
	c.flags |= stopped
	c.Conn.SetReadDeadline(time.Unix(1, 0))
	c.wake()
}

// Close closes the connection and gives its place back.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	first, counted := !c.flags.any(closed), c.flags.any(limited)
	c.flags |= closed
	c.ready = nil
	c.mu.Unlock()
	if first && c.listener != nil {
		c.listener.left(c, counted)
	}
	return err
}

// CloseWrite half-closes the connection where it can.
func (c *Conn) CloseWrite() error {
	if hc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return hc.CloseWrite()
	}
	return nil
}

var _ io.ReadWriteCloser = (*Conn)(nil)
