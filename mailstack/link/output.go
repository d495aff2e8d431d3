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

// output gathers the frames of all streams; one goroutine sends whatever has come together, so that many small frames share
// a TLS record and a system call. Frames that a session owes its peer (credits, ends, pongs) never wait: there are only
// a few for each stream that a well-behaved peer has open.
type output struct {
	wake chan struct{} // capacity 1: there is something to send, or the end

	mu      sync.Mutex
	pending []byte
	spare   []byte
	room    chan struct{} // closed when there is room again; nil when nobody waits for it
	closed  bool          // takes nothing more
	flooded bool          // by what is owed

	began atomic.Int64 // when the write under way began, in Unix nanoseconds; 0: none is
}

func newOutput() *output { return &output{wake: make(chan struct{}, 1)} }

// frame appends a frame at once. After the end it goes nowhere.
func (o *output) frame(kind byte, stream uint32, payload []byte) {
	o.mu.Lock()
	switch {
	case o.closed:
	case len(o.pending) > maxOwed:
		o.closed, o.flooded, o.pending = true, true, nil
	default:
		o.pending = appendFrame(o.pending, kind, stream, payload)
	}
	o.mu.Unlock()
	o.signal()
}

// data appends a frame if there is room; if not, full is closed as soon as there may be.
func (o *output) data(kind byte, stream uint32, payload []byte) (full <-chan struct{}) {
	o.mu.Lock()
	if len(o.pending) >= maxPending && !o.closed {
		defer o.mu.Unlock()
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room
	}
	if !o.closed {
		o.pending = appendFrame(o.pending, kind, stream, payload)
	}
	o.mu.Unlock()
	o.signal()
	return nil
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
func (o *output) run(conn net.Conn) error {
	for range o.wake {
		for {
			batch, closed, err := o.take()
			if err != nil || len(batch) == 0 && closed {
				return err
			}
			if len(batch) == 0 {
				break
			}
			o.began.Store(time.Now().UnixNano())
			_, err = conn.Write(batch)
			o.began.Store(0)
			if err != nil {
				return err
			}
			o.give(batch)
		}
	}
	return nil
}

func (o *output) take() (batch []byte, closed bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flooded {
		return nil, true, errFlooded
	}
	if len(o.pending) > 0 { // else both buffers stay
		batch, o.pending, o.spare = o.pending, o.spare, nil
		o.makeRoom()
	}
	return batch, o.closed, nil
}

func (o *output) give(batch []byte) {
	if cap(batch) > keptBuffer {
		return
	}
	o.mu.Lock()
	o.spare = batch[:0]
	o.mu.Unlock()
}

// stuck reports whether the write under way has taken longer than limit.
func (o *output) stuck(limit time.Duration) bool {
	began := o.began.Load()
	return began != 0 && time.Since(time.Unix(0, began)) > limit
}
