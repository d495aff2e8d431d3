package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"gouv.tg/messagerie/parking"
)

// kept has a listener take one connection, whose handler returns while it lives on.
func keptConn(t *testing.T) (*Listener, *Conn, net.Conn) {
	t.Helper()
	p, err := parking.New(0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan *Conn, 1)
	s := &Listener{Limits: &Limits{Max: 1}, Idle: time.Hour, Poller: p, Handle: func(c *Conn) { c.Keep(); conns <- c }}
	go s.Serve(l)
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := <-conns
	t.Cleanup(func() {
		l.Close()
		peer.Close()
		c.Close()
		p.Close()
	})
	return s, c, peer
}

func park(t *testing.T, c *Conn) <-chan struct{} {
	t.Helper()
	ready := make(chan struct{})
	if err := c.Park(func() { close(ready) }); err != nil {
		t.Fatal(err)
	}
	return ready
}

// TestLinger: a read that waits for a moment is no silence that ends the connection, but a drain ends it at once.
func TestLinger(t *testing.T) {
	_, c, peer := keptConn(t)
	b := make([]byte, 10)
	c.Linger(time.Millisecond)
	if _, err := c.Read(b); !errors.Is(err, parking.ErrWouldBlock) {
		t.Fatalf("Read: %v", err)
	}
	c.Allow(1) // the deadline that has passed counts no more
	io.WriteString(peer, "hello")
	<-park(t, c)
	if n, err := c.Read(b); n != 5 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	c.Linger(time.Hour)
	time.AfterFunc(10*time.Millisecond, c.Drain)
	if _, err := c.Read(b); !errors.Is(err, parking.ErrWouldBlock) {
		t.Errorf("Read amid Drain: %v", err)
	}
	<-park(t, c)
	c.Linger(time.Hour)
	var timeout net.Error
	if _, err := c.Read(b); errors.Is(err, parking.ErrWouldBlock) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Read after Drain: %v", err)
	}
}

func TestPark(t *testing.T) {
	s, c, peer := keptConn(t)
	c.Allow(1)
	b := make([]byte, 10)
	if _, err := c.Read(b); !errors.Is(err, parking.ErrWouldBlock) {
		t.Errorf("Read: %v", err)
	}
	ready := park(t, c)
	s.sweep(time.Since(start) + time.Minute) // not for so long
	io.WriteString(peer, "hello")
	<-ready
	if c.Unpark() {
		t.Error("unparked after ready")
	}
	c.Allow(1)
	if n, err := c.Read(b); n != 5 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	park(t, c)
	if !c.Unpark() {
		t.Error("it was parked")
	}
	c.Wait()
	io.WriteString(peer, "again")
	if n, err := c.Read(b); n != 5 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
}

func TestParkedConnEnds(t *testing.T) {
	for name, end := range map[string]func(*Listener, *Conn){
		"idle": func(s *Listener, c *Conn) { s.sweep(time.Since(start) + time.Hour) },
		"first phase": func(s *Listener, c *Conn) {
			c.SetUntil(time.Now().Add(time.Minute))
			s.sweep(time.Since(start) + 2*time.Minute)
		},
		"drained":           func(_ *Listener, c *Conn) { c.Drain() },
		"drained earlier":   nil,
		"drained when free": func(_ *Listener, c *Conn) { c.Busy(); c.Drain(); c.Free() },
	} {
		s, c, _ := keptConn(t)
		var ready <-chan struct{}
		if end == nil {
			c.Drain()
			ready = park(t, c)
		} else {
			ready = park(t, c)
			end(s, c)
		}
		<-ready
		c.Allow(1)
		if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("%s: Read: %v", name, err)
		}
		if _, err := c.Write([]byte("bye")); err != nil {
			t.Errorf("%s: no goodbye: %v", name, err)
		}
		c.Close()
		if err := c.Park(func() { t.Error("ready after Close") }); err == nil {
			t.Errorf("%s: parked after Close", name)
		}
		if s.Open() != 0 || s.Limits.Open() != 0 {
			t.Errorf("%s: %d connections are left, %d places taken", name, s.Open(), s.Limits.Open())
		}
	}
}

// TestDrainWaitsForKeptConns, and closes them when there is no more time.
func TestDrainWaitsForKeptConns(t *testing.T) {
	s, c, _ := keptConn(t)
	ready := park(t, c)
	drained := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { s.Drain(ctx); close(drained) }()
	<-ready
	select {
	case <-drained:
		t.Error("Drain did not wait")
	case <-time.After(10 * time.Millisecond):
	}
	cancel()
	<-drained
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
}

func TestParkNeedsAPoller(t *testing.T) {
	c, _ := pair(t, time.Hour)
	c.Allow(1)
	c.Wait()
	if err := c.Park(func() {}); err == nil {
		t.Error("parked")
	}
}
