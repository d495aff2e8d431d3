// Package guard protects the gateway's listeners: how many connections there may be, how long each may keep silent,
// how many logins may fail, and how all of them end when the gateway stops.
package guard

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/telemetry"
)

// Conn is a connection whose every read and write has a time limit. A deadline set from outside goes before it.
type Conn struct {
	net.Conn
	release func()
	traffic *telemetry.Traffic // nil: not counted

	mu          sync.Mutex
	idle        time.Duration
	until       time.Time // absolute limit of reads, when not zero
	explicitIn  bool
	explicitOut bool
	stopped     bool
	draining    bool
	busy        bool

	closed atomic.Bool
}

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
	if c.traffic != nil {
		c.traffic.Read.Add(int64(n))
	}
	return n, err
}

func (c *Conn) armRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return os.ErrDeadlineExceeded
	}
	if c.explicitIn {
		return nil
	}
	t := time.Now().Add(c.idle)
	if !c.until.IsZero() && c.until.Before(t) {
		t = c.until
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if !c.explicitOut {
		c.Conn.SetWriteDeadline(time.Now().Add(min(c.idle, 5*time.Minute)))
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(b)
	if c.traffic != nil {
		c.traffic.Sent.Add(int64(n))
	}
	return n, err
}

// SetReadDeadline goes before the idle limit until it is set to zero.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.explicitIn = !t.IsZero()
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline goes before the idle limit until it is set to zero.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.explicitOut = !t.IsZero()
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
	c.busy = true
}

// Free ends Busy. On a connection that is being drained no read succeeds from then on.
func (c *Conn) Free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if c.draining {
		c.interrupt()
	}
}

// Drain ends the connection as soon as it is not busy: reads fail with a timeout, writes still succeed, so that
// the protocol can say goodbye.
func (c *Conn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if !c.busy {
		c.interrupt()
	}
}

// Draining reports whether Drain was called.
func (c *Conn) Draining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

func (c *Conn) interrupt() {
	c.stopped = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Close closes the connection and gives its place back.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) && c.release != nil {
		c.release()
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
