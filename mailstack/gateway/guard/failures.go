package guard

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of failed logins from one address: a burst, then one in each interval.
const (
	failureBurst    = 60
	failureInterval = 2 * time.Second
	maxFailureTable = 1 << 16
)

// Failures limits failed logins by address. Its table is bounded: when it is full, the addresses that have been
// quiet for long are forgotten first, then any.
type Failures struct {
	now func() time.Time

	mu sync.Mutex
	at map[netip.Prefix]time.Time // when the address has paid off all its failures
}

// NewFailures makes an empty table.
func NewFailures() *Failures {
	return &Failures{now: time.Now, at: map[netip.Prefix]time.Time{}}
}

// Blocked reports whether the address has failed too often of late.
func (f *Failures) Blocked(a net.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at[Network(a)].Sub(f.now()) > (failureBurst-1)*failureInterval
}

// Add counts one failure.
func (f *Failures) Add(a net.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, now := Network(a), f.now()
	t := f.at[n]
	if t.Before(now) {
		t = now
	}
	if _, known := f.at[n]; !known && len(f.at) >= maxFailureTable {
		f.shrink(now)
	}
	f.at[n] = t.Add(failureInterval)
}

// shrink makes room for many more, so that it is rarely called. The caller holds mu.
func (f *Failures) shrink(now time.Time) {
	for n, t := range f.at {
		if t.Before(now) {
			delete(f.at, n)
		}
	}
	for n := range f.at {
		if len(f.at) < maxFailureTable/8*7 {
			return
		}
		delete(f.at, n)
	}
}
