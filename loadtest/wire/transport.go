package wire

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/parking"
)

// transport is the TCP connection under TLS: it counts, shapes and can refuse to wait.
type transport struct {
	parking.Conn // Came: what is read before the next write has waited for the line and its latency in the poller
	uplink       *Uplink
	bounded      bool          // a deadline is set by Within
	late         time.Duration // latency that the next read has yet to wait for
	deadline     atomic.Int64  // Unix nanoseconds, for the waits of the uplink; 0: none
	closed       atomic.Bool
	sent         atomic.Int64
}

func (t *transport) open(raw *net.TCPConn, uplink *Uplink) error {
	if t.uplink = uplink; uplink != nil {
		t.Delay = t.arrival
	}
	return t.Conn.Open(raw)
}

// Read implements net.Conn.
func (t *transport) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if t.uplink != nil && n > 0 {
		wait := t.uplink.down.take(n) + t.late
		if t.Came {
			wait = t.uplink.down.duration(n)
		}
		t.late = 0
		if late := t.wait(wait); late != nil {
			return n, late
		}
	}
	return n, err
}

// Write implements net.Conn.
func (t *transport) Write(p []byte) (int, error) {
	written := 0
	for {
		part := p[written:]
		if t.uplink != nil {
			part = part[:min(len(part), shapedChunk)]
			if err := t.wait(t.uplink.up.take(len(part))); err != nil {
				return written, err
			}
			t.late, t.Came = 2*t.uplink.latency, false
		}
		n, err := t.TCPConn.Write(part)
		t.sent.Add(int64(n))
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// writeParts sends the parts with one system call where nothing is shaped.
func (t *transport) writeParts(parts [][]byte) error {
	if t.uplink != nil || len(parts) == 1 {
		for _, p := range parts {
			if _, err := t.Write(p); err != nil {
				return err
			}
		}
		return nil
	}
	buffers := net.Buffers(parts)
	n, err := buffers.WriteTo(t.TCPConn)
	t.sent.Add(n)
	return err
}

// SetDeadline implements net.Conn.
func (t *transport) SetDeadline(at time.Time) error {
	if at.IsZero() {
		t.deadline.Store(0)
	} else {
		t.deadline.Store(at.UnixNano())
	}
	return t.TCPConn.SetDeadline(at)
}

// Close implements net.Conn.
func (t *transport) Close() error {
	t.closed.Store(true)
	return t.Conn.Close()
}

// arrival is how long what came for a parked connection is still on its way: behind what the line is busy with, and for the latency.
func (t *transport) arrival() time.Duration {
	return t.uplink.down.backlog(time.Now()) + max(t.uplink.latency, t.late)
}

// roundTrip waits as long as the uplink's latency makes the TCP handshake last.
func (t *transport) roundTrip(ctx context.Context) error {
	if t.uplink == nil {
		return nil
	}
	timer := time.NewTimer(2 * t.uplink.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait sleeps in steps, so that Close and a passed deadline end it soon.
func (t *transport) wait(d time.Duration) error {
	const step = 50 * time.Millisecond
	until := time.Now().Add(d)
	for {
		if t.closed.Load() {
			return net.ErrClosed
		}
		now := time.Now()
		if deadline := t.deadline.Load(); deadline != 0 && now.UnixNano() >= deadline {
			return os.ErrDeadlineExceeded
		}
		left := until.Sub(now)
		if left <= 0 {
			return nil
		}
		time.Sleep(min(left, step))
	}
}
