package link

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits to be sent on a session, in octets.
const (
	maxPending = 128 << 10 // streams wait beyond it
	maxOwed    = 8 << 20   // a peer that makes us owe it more, and reads nothing, is given up
	keptBuffer = 192 << 10 // a larger buffer is let go when it has been sent; what pending data and a frame grow to is not
)

var errFlooded = errors.New("peer asks for more than it reads")

// output gathers the frames of all streams and sends whatever has come together, so that many small frames share a TLS
// record and a system call. Its goroutine does so; a stream that is alone on the link sends what it wrote itself, for
// waking another goroutine takes longer than that. Frames that a session owes its peer (credits, ends, pongs) never wait:
// there are only a few for each stream that a well-behaved peer has open.
type output struct {
	conn net.Conn
	wake chan struct{} // capacity 1: there is something to send, or the end

	mu      sync.Mutex
	pending []byte
	spare   []byte
	room    chan struct{} // closed when there is room again; nil when nobody waits for it
	sending bool          // somebody writes to conn
	stream  uint32        // whose data is pending; 0: nobody's
	several bool          // data of others is pending too
	crowded bool          // the last write sent data of several streams
	closed  bool          // takes nothing more
	failed  error         // by a write, or by what is owed

	began atomic.Int64 // when the write under way began, in Unix nanoseconds; 0: none is
}

func newOutput(conn net.Conn) *output { return &output{conn: conn, wake: make(chan struct{}, 1)} }

// frame appends a frame at once. After the end it goes nowhere.
func (o *output) frame(kind byte, stream uint32, payload []byte) {
	o.mu.Lock()
	switch {
	case o.closed:
	case len(o.pending) > maxOwed:
		o.closed, o.failed, o.pending = true, errFlooded, nil
	default:
		o.pending = appendFrame(o.pending, kind, stream, payload)
	}
	idle := !o.sending
	o.mu.Unlock()
	if idle { // who is sending looks again
		o.signal()
	}
}

// data appends a frame if there is room; if not, full is closed as soon as there may be. Until flush is called it may lie there.
func (o *output) data(kind byte, stream uint32, payload []byte) (full <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) >= maxPending && !o.closed {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room
	}
	if !o.closed {
		o.pending = appendFrame(o.pending, kind, stream, payload)
		o.several = o.several || o.stream != 0 && o.stream != stream
		o.stream = stream
	}
	return nil
}

// flush has what is pending sent. It may wait for the peer: the caller holds no lock that a receiver needs.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sending || len(o.pending) == 0 {
		return // who is sending looks again
	}
	if !o.crowded && o.failed == nil {
		o.send()
	}
	if len(o.pending) > 0 || o.closed || o.failed != nil {
		o.signal()
	}
}

func (o *output) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close ends the output: what is pending is still sent.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.makeRoom()
	o.mu.Unlock()
	o.signal()
}

// makeRoom releases those who wait. The lock is held.
func (o *output) makeRoom() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// run sends until the end and returns what made it stop, nil after close.
func (o *output) run() error {
	for range o.wake {
		o.mu.Lock()
		for !o.sending && o.failed == nil && len(o.pending) > 0 {
			o.send()
		}
		ended, err := o.closed && !o.sending, o.failed
		o.mu.Unlock()
		if ended || err != nil {
			return err
		}
	}
	return nil
}

// send writes what is pending. mu is held, and let go of while it writes.
func (o *output) send() {
	batch := o.pending
	o.pending, o.spare = o.spare, nil
	o.crowded, o.several, o.stream, o.sending = o.several, false, 0, true
	o.makeRoom()
	o.mu.Unlock()
	o.began.Store(time.Now().UnixNano())
	_, err := o.conn.Write(batch)
	o.began.Store(0)
	o.mu.Lock()
	o.sending = false
	if err != nil {
		o.failed = err
	}
	if cap(batch) <= keptBuffer {
		o.spare = batch[:0]
	}
}

// stuck reports whether the write under way has taken longer than limit.
func (o *output) stuck(limit time.Duration) bool {
	began := o.began.Load()
	return began != 0 && time.Since(time.Unix(0, began)) > limit
}
