package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:25":          "192.0.2.1/32",
		"[::ffff:192.0.2.1]:25": "192.0.2.1/32",
		"[2001:db8:0:1::5]:25":  "2001:db8:0:1::/64",
		"[fe80::1%eth0]:25":     "fe80::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", in)
		if err != nil {
			t.Fatal(err)
		}
		if got := Network(a).String(); got != want {
			t.Errorf("Network(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	l := &Limits{Max: 3, PerAddress: 2}
	a, b := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for i, step := range []struct {
		from netip.Prefix
		ok   bool
	}{{a, true}, {a, true}, {a, false}, {b, true}, {b, false}} {
		if got := l.take(step.from); got != step.ok {
			t.Errorf("step %d: %v", i, got)
		}
	}
	l.give(a)
	if !l.take(b) || l.Open() != 3 {
		t.Error("a place that was given back is not taken")
	}
	l.give(a)
	l.give(b)
	l.give(b)
	if l.Open() != 0 || len(l.by) != 0 {
		t.Errorf("left: %d, %v", l.Open(), l.by)
	}
}

func TestFailures(t *testing.T) {
	f := NewFailures()
	now := time.Unix(1_800_000_000, 0)
	f.now = func() time.Time { return now }
	addr := func(i int) net.Addr { return &net.TCPAddr{IP: net.IPv4(10, byte(i>>16), byte(i>>8), byte(i))} }
	for i := range failureBurst {
		if f.Blocked(addr(1)) {
			t.Fatalf("blocked after %d failures", i)
		}
		f.Add(addr(1))
	}
	if !f.Blocked(addr(1)) || f.Blocked(addr(2)) {
		t.Error("the wrong address is blocked")
	}
	now = now.Add(failureInterval)
	if f.Blocked(addr(1)) {
		t.Error("still blocked after an interval")
	}
	f.Add(addr(1))
	if !f.Blocked(addr(1)) {
		t.Error("not blocked after another failure")
	}
	now = now.Add(time.Hour)
	for i := range 2*maxFailureTable + 10 {
		f.Add(addr(i))
		if len(f.at) > maxFailureTable {
			t.Fatalf("%d entries", len(f.at))
		}
	}
}

// pair is a connection over TCP, guarded on one side.
func pair(t *testing.T, idle time.Duration) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	return NewConn(c, idle), peer
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func TestConnTimesOut(t *testing.T) {
	b := make([]byte, 1)
	c, _ := pair(t, time.Millisecond)
	if _, err := c.Read(b); !isTimeout(err) {
		t.Errorf("silence: %v", err)
	}
	c, peer := pair(t, time.Hour)
	c.SetUntil(time.Now().Add(-time.Second))
	if _, err := c.Read(b); !isTimeout(err) {
		t.Errorf("first phase is over: %v", err)
	}
	c.SetIdle(time.Hour)
	peer.Write(b)
	if _, err := c.Read(b); err != nil {
		t.Errorf("after the first phase: %v", err)
	}
	c.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(b); !isTimeout(err) {
		t.Errorf("deadline from outside: %v", err)
	}
}

func TestConnDrains(t *testing.T) {
	c, peer := pair(t, time.Hour)
	c.Busy()
	c.Drain()
	peer.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil || !c.Draining() {
		t.Errorf("while busy: %v", err)
	}
	c.Free()
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("when free: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("the end can be put off: %v", err)
	}
	if _, err := c.Write([]byte("bye")); err != nil {
		t.Errorf("no goodbye: %v", err)
	}
	waiting, _ := pair(t, time.Hour)
	read := make(chan error, 1)
	go func() { _, err := waiting.Read(make([]byte, 1)); read <- err }()
	waiting.Drain()
	if err := <-read; !isTimeout(err) {
		t.Errorf("a read that was waiting: %v", err)
	}
}

func TestListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan struct{}, 10)
	s := &Listener{
		Limits: &Limits{Max: 2}, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Busy: "full\r\n", Idle: time.Hour, Refused: func() { refused <- struct{}{} },
		Handle: func(c *Conn) { fmt.Fprint(c, "hello\n"); io.Copy(io.Discard, c) },
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	dial := func() (net.Conn, string) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		b := make([]byte, 6)
		io.ReadFull(c, b)
		return c, string(b)
	}
	a, hello := dial()
	_, again := dial()
	_, full := dial()
	if hello != "hello\n" || again != "hello\n" || full != "full\r\n" {
		t.Errorf("told %q, %q, %q", hello, again, full)
	}
	<-refused
	a.Close()
	for s.Limits.Open() > 1 {
		time.Sleep(time.Millisecond)
	}
	if _, hello := dial(); hello != "hello\n" {
		t.Errorf("told %q after a place was given back", hello)
	}
	l.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	s.Drain(context.Background())
	if s.Open() != 0 || s.Limits.Open() != 0 {
		t.Errorf("%d connections are left", s.Open())
	}
}

func TestDrainEndsWhatDoesNotEnd(t *testing.T) {
	c, _ := pair(t, time.Hour)
	s := &Listener{Idle: time.Hour}
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		s.Run(c, func(c *Conn) {
			c.Busy()
			close(begun)
			io.Copy(io.Discard, c)
		})
		close(ended)
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Drain(ctx)
	<-ended
}
