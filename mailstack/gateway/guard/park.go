package guard

import (
	"errors"
	"net"
	"time"
)

// sweepInterval is how often parked connections are looked at, and so how much longer than its limit one may idle.
const sweepInterval = 10 * time.Second

var errNoParking = errors.New("connection cannot be parked")

// Keep has the connection outlive its handler: it is for its user to close.
func (c *Conn) Keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags |= kept
}

// Allow has Read not wait: see parking.Conn. Where the connection cannot be parked it changes nothing.
func (c *Conn) Allow(reads int) {
	if c.spot == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags |= impatient
	if c.flags.any(armed) && !c.flags.any(stopped) {
		c.flags &^= armed | explicitIn
		c.Conn.SetReadDeadline(time.Time{})
	}
	c.spot.Allow(reads)
}

// Linger is Allow with one read that waits for d.
func (c *Conn) Linger(d time.Duration) {
	if c.spot == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags |= impatient
	if !c.flags.any(stopped) {
		c.flags |= armed
		c.flags &^= explicitIn
		c.Conn.SetReadDeadline(time.Now().Add(d))
	}
	c.spot.Linger()
}

// Wait ends Allow.
func (c *Conn) Wait() {
	if c.spot == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flags &^= impatient
	c.spot.Wait()
}

// Park has ready called once when there is something to read, when the connection has idled for too long, or when it is
// being drained; the latter two show when it is read. Until then nobody may read. An error is that of a closed connection.
func (c *Conn) Park(ready func()) error {
	if c.spot == nil {
		return errNoParking
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.flags.any(closed):
		return net.ErrClosed
	case c.flags.any(stopped):
		go ready()
		return nil
	}
	c.ready, c.since = ready, time.Since(start)
	if err := c.listener.Poller.Park(&c.spot.Spot, false, c.arrived); err != nil {
		c.ready = nil
		return err
	}
	return nil
}

// arrived is called by the poller.
func (c *Conn) arrived() {
	c.mu.Lock()
	ready := c.ready
	c.ready = nil
	c.mu.Unlock()
	if ready != nil {
		ready()
	}
}

// Unpark takes a parked connection back. False: it was not parked, or ready was or is being called.
func (c *Conn) Unpark() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unpark() != nil
}

func (c *Conn) unpark() (ready func()) {
	if c.ready == nil || !c.listener.Poller.Unpark(&c.spot.Spot) {
		return nil
	}
	ready, c.ready = c.ready, nil
	return ready
}

// wake has ready called if the connection is parked. mu is held.
func (c *Conn) wake() {
	if ready := c.unpark(); ready != nil {
		go ready()
	}
}

// sweep ends the parked connections that have idled for too long.
func (s *Listener) sweep(now time.Duration) {
	s.mu.Lock()
	var all []*Conn
	for c := range s.conns {
		c.mu.Lock()
		if c.overdue(now) {
			all = append(all, c)
		}
		c.mu.Unlock()
	}
	s.mu.Unlock()
	for _, c := range all {
		c.mu.Lock()
		if c.overdue(now) {
			c.interrupt()
		}
		c.mu.Unlock()
	}
}

// overdue reports whether the connection is parked and has been for too long. mu is held.
func (c *Conn) overdue(now time.Duration) bool {
	return c.ready != nil && (now-c.since >= c.idle || !c.until.IsZero() && c.until.Sub(start) <= now)
}

// sweeping sweeps until done is closed.
func (s *Listener) sweeping(done <-chan struct{}) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.sweep(time.Since(start))
		case <-done:
			return
		}
	}
}
