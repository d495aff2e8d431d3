package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/telemetry"
	"gouv.tg/messagerie/parking"
)

// Limits bounds connections, over all listeners that share it. A zero means no limit.
type Limits struct {
	Max        int
	PerAddress int

	mu    sync.Mutex
	total int
	by    map[netip.Prefix]int
}

// Network is what counts as one address: an IPv4 address or an IPv6 /64, which is what one subscriber gets.
func Network(a net.Addr) netip.Prefix {
	ip := IP(a)
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// IP is the address without port and zone; not valid when a has none.
func IP(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	if ap, err := netip.ParseAddrPort(a.String()); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (l *Limits) take(n netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Max > 0 && l.total >= l.Max || l.PerAddress > 0 && l.by[n] >= l.PerAddress {
		return false
	}
	if l.by == nil {
		l.by = map[netip.Prefix]int{}
	}
	l.total++
	l.by[n]++
	return true
}

func (l *Limits) give(n netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.by[n]--; l.by[n] <= 0 {
		delete(l.by, n)
	}
}

// Open counts the connections of the moment.
func (l *Limits) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// Listener accepts connections and hands each to a handler in its own goroutine.
type Listener struct {
	Limits  *Limits
	Allowed []netip.Prefix // who may connect; nil: everybody
	Busy    string         // what a peer over the limit is told; empty: nothing
	Idle    time.Duration  // see Conn
	First   time.Duration  // limit of the first phase: see Conn.SetUntil; 0: none
	Handle  func(*Conn)
	Refused func()             // counts refusals
	Traffic *telemetry.Traffic // counts bytes; nil: they are not counted
	Poller  *parking.Poller    // where connections are parked; nil: they cannot be

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	draining bool
	wg       sync.WaitGroup
}

// Serve accepts until l is closed. It fails only when accepting fails for good.
func (s *Listener) Serve(l net.Listener) error {
	done := make(chan struct{})
	defer close(done)
	if s.Poller != nil {
		go s.sweeping(done)
	}
	delay := time.Duration(0)
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			// Out of descriptors, most likely: what is open goes on, and new ones wait.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			time.Sleep(delay)
			continue
		}
		delay = 0
		s.Admit(c)
	}
}

// Admit takes one connection, or refuses and closes it.
func (s *Listener) Admit(c net.Conn) {
	n := Network(c.RemoteAddr())
	if s.Allowed != nil && !contains(s.Allowed, n.Addr()) || s.Limits != nil && !s.Limits.take(n) {
		if s.Refused != nil {
			s.Refused()
		}
		if s.Busy != "" {
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write([]byte(s.Busy))
		}
		c.Close()
		return
	}
	conn := &Conn{Conn: c, idle: s.Idle, listener: s}
	if s.Limits != nil {
		conn.flags |= limited
	}
	if raw, ok := c.(*net.TCPConn); ok && s.Poller != nil {
		spot := &parking.Conn{}
		if spot.Open(raw) == nil {
			conn.Conn, conn.spot = spot, spot
		}
	}
	if s.First > 0 {
		conn.until = time.Now().Add(s.First)
	}
	if s.remember(conn) {
		go s.run(conn, s.Handle)
	}
}

// Run handles a connection that came from somewhere else, in the caller's goroutine. It is drained with the others.
func (s *Listener) Run(c net.Conn, handle func(*Conn)) {
	conn := &Conn{Conn: c, idle: s.Idle, listener: s}
	if s.remember(conn) {
		s.run(conn, handle)
	}
}

func (s *Listener) run(c *Conn, handle func(*Conn)) {
	defer s.wg.Done()
	defer func() {
		c.mu.Lock()
		stays := c.flags.any(kept)
		c.mu.Unlock()
		if !stays {
			c.Close()
		}
	}()
	handle(c)
}

// remember counts the connection in, until its handler has returned and it is closed. It is false, and the connection closed, when
// no more are taken.
func (s *Listener) remember(c *Conn) bool {
	s.mu.Lock()
	draining := s.draining
	if s.conns == nil {
		s.conns = map[*Conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.wg.Add(2)
	s.mu.Unlock()
	if draining {
		c.Close()
		s.wg.Done()
	}
	return !draining
}

// left counts a connection out that was closed; limited says that it has a place to give back.
func (s *Listener) left(c *Conn, limited bool) {
	if limited {
		s.Limits.give(Network(c.RemoteAddr()))
	}
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.wg.Done()
}

func contains(nets []netip.Prefix, ip netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// Open counts the connections of the moment.
func (s *Listener) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Drain lets busy connections finish, ends the others, and closes what is left when ctx is done.
// The caller has closed the net.Listener. It returns when all are closed
// and every handler has returned.
func (s *Listener) Drain(ctx context.Context) {
	s.each(func(c *Conn) { c.Drain() })
	stop := context.AfterFunc(ctx, func() { s.each(func(c *Conn) { c.Close() }) })
	defer stop()
	s.wg.Wait()
}

func (s *Listener) each(do func(*Conn)) {
	s.mu.Lock()
	s.draining = true
	all := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		do(c)
	}
}
