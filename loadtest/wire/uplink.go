package wire

import (
	"sync"
	"time"
)

// shapedChunk is how much one connection sends at once through a shaped uplink: small, so that the site's
// connections share it fairly.
const shapedChunk = 4 << 10

// Uplink is the line of a site, shared by all its connections: a rate in each direction and a latency.
type Uplink struct {
	up, down bucket
	latency  time.Duration
}

// NewUplink returns an uplink of bitsPerSecond in each direction (zero or less: unlimited) and latency one way. What
// is counted are the octets of the TCP stream, without the headers of TCP and IP.
//
// Latency is applied to turnarounds: the first read after a write waits for both ways, data that arrives unasked on a
// parked connection for one, so that a stream is slowed by the rate only, as on a real line. The poller waits for the latter, and
// for what the line is busy with, before it calls onReady.
func NewUplink(bitsPerSecond int64, latency time.Duration) *Uplink {
	return &Uplink{up: bucket{rate: bitsPerSecond}, down: bucket{rate: bitsPerSecond}, latency: latency}
}

// bucket is a line in one direction: it is busy until some time.
type bucket struct {
	rate int64 // bits per second
	mu   sync.Mutex
	busy time.Time
}

// take occupies the line for n octets and returns how long until they have passed.
func (b *bucket) take(n int) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	return b.takeAt(time.Now(), n)
}

func (b *bucket) takeAt(now time.Time, n int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy.Before(now) {
		b.busy = now
	}
	b.busy = b.busy.Add(b.duration(n))
	return b.busy.Sub(now)
}

// duration is how long n octets take on a free line.
func (b *bucket) duration(n int) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	return time.Duration(float64(n) * 8 / float64(b.rate) * float64(time.Second))
}

// backlog is how long the line stays busy.
func (b *bucket) backlog(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.busy.Sub(now))
}
