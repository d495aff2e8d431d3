package wire

import (
	"io"
	"net"
	"testing"
	"time"
)

// A bucket lets through what its rate allows, whoever takes how much in which order.
func TestBucket(t *testing.T) {
	start := time.Unix(1000, 0)
	b := bucket{rate: 8000} // 1,000 octets a second
	for _, test := range []struct {
		at     time.Duration
		octets int
		want   time.Duration
	}{
		{0, 500, 500 * time.Millisecond},
		{0, 500, time.Second},
		{400 * time.Millisecond, 100, 700 * time.Millisecond},
		{5 * time.Second, 1000, time.Second}, // an idle line gathers no credit
	} {
		if got := b.takeAt(start.Add(test.at), test.octets); got != test.want {
			t.Errorf("at %v, %d octets: found %v; accepted is %v", test.at, test.octets, got, test.want)
		}
	}
	if unlimited := (&bucket{}).take(1 << 30); unlimited != 0 {
		t.Errorf("no rate: found %v", unlimited)
	}
}

// A session whose site's line is busy waits without one of the poller's goroutines, and in its turn: not for what comes after it.
func TestBusyLineHoldsUpNobodyElse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p, err := NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const busy = time.Second
	uplink := NewUplink(8000, 0) // 1,000 octets a second
	type notice struct{ called, read time.Time }
	park := func(u *Uplink) (net.Conn, chan notice) {
		c, err := (&Dialer{Uplink: u}).Dial(t.Context(), listener.Addr().String(), false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		told := make(chan notice, 1)
		if err := p.Park(c, func() {
			called := time.Now()
			if _, err := c.ReadLine(); err != nil {
				t.Error(err)
			}
			told <- notice{called, time.Now()}
		}); err != nil {
			t.Fatal(err)
		}
		return server, told
	}
	began := time.Now()
	uplink.down.takeAt(began, 1000) // somebody at that site fetches a message
	slow, slowTold := park(uplink)
	io.WriteString(slow, "* 1 EXISTS\r\n")
	time.Sleep(busy / 10)
	uplink.down.take(10_000) // somebody else there begins to fetch much
	other, otherTold := park(nil)
	sent := time.Now()
	io.WriteString(other, "* 1 EXISTS\r\n")
	if took := (<-otherTold).read.Sub(sent); took > busy/2 {
		t.Errorf("another site's session was told after %v", took)
	}
	n := <-slowTold
	if took := n.called.Sub(began); took < busy || took > 5*busy {
		t.Errorf("the busy site's session was told after %v; its line was busy for %v", took, busy)
	}
	if took := n.read.Sub(n.called); took > 5*busy {
		t.Errorf("the poller's goroutine was held for %v", took)
	}
}
