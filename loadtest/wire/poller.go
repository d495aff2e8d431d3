package wire

import (
	"errors"
	"fmt"
	"time"

	"gouv.tg/messagerie/parking"
)

// ErrPollerClosed is returned by Park after Close.
var ErrPollerClosed = parking.ErrClosed

// Poller keeps idle connections: no goroutine, no buffers.
type Poller struct{ spots *parking.Poller }

// NewPoller starts a poller which calls at most workers onReady functions at a time.
func NewPoller(workers int) (*Poller, error) {
	if workers < 1 {
		return nil, fmt.Errorf("workers: found %d; accepted is 1 or more", workers)
	}
	spots, err := parking.New(workers)
	if err != nil {
		return nil, err
	}
	return &Poller{spots}, nil
}

// Park hands the connection over until there is something to read or the peer closed; then onReady is called once, from
// one of the poller's goroutines, and the connection is its caller's again. Data that is already here makes it be called at
// once. Buffered output is flushed first. On an error the connection stays the caller's.
func (p *Poller) Park(c *Conn, onReady func()) error {
	if err := c.Flush(); err != nil {
		return err
	}
	if c.transport.deadline.Load() != 0 {
		if err := c.SetDeadline(time.Time{}); err != nil {
			return err
		}
	}
	now := c.drain()
	c.release()
	return p.spots.Park(&c.transport.Spot, now, onReady)
}

// Unpark takes the connection back. False: onReady was or is being called; the connection is its.
func (p *Poller) Unpark(c *Conn) bool { return p.spots.Unpark(&c.transport.Spot) }

// Close ends the poller after the onReady calls under way; none begins any more. Connections that are still parked stay
// open: Unpark or Close them. It must not be called from onReady.
func (p *Poller) Close() error { return p.spots.Close() }

// drain brings records that crypto/tls has received but not yet decrypted into the read buffer: epoll does not know of
// them. It reports whether there is something to read, an error included.
func (c *Conn) drain() bool {
	if c.Buffered() > 0 || c.err != nil {
		return true
	}
	if c.tls == nil {
		return false
	}
	c.transport.Allow(0)
	err := c.fill()
	c.transport.Wait()
	if !errors.Is(err, parking.ErrWouldBlock) {
		return true
	}
	parking.Trim(c.tls)
	return false
}
