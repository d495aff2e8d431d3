package link

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

var errStopped = errors.New("peer has closed the stream")

// Stream is one stream of a session, after its header. It is a net.Conn; besides, it can be parked.
type Stream struct {
	Header Header

	session *Session
	number  uint32
	writing sync.Mutex // one Write at a time

	mu       sync.Mutex
	in       queue  // received and not yet read
	parked   func() // see Park
	read     side
	write    side
	credit   uint32 // octets we may send
	allowed  uint32 // octets the peer may send
	consumed uint32 // octets read since the peer was last given credit
	window   uint32 // octets the peer may have under way
	mark     uint32 // octets in in that come before the peer's frameBack
	flags    flags
	holds    int8 // what keeps Serve waiting for the stream: its handler and its being open
}

// flags say what has happened to a stream.
type flags uint16

const (
	closed   flags = 1 << iota // by Close
	lost                       // the session has ended
	sentEnd                    // frameEnd was sent
	ended                      // frameEnd came
	stopped                    // frameStop came
	back                       // frameBack came
	reclaims                   // Reclaim was called
	keeps                      // the stream outlives its handler
)

func (f flags) any(which flags) bool { return f&which != 0 }

// side is one direction as those who wait for it see it.
type side struct {
	wake     chan struct{} // closed to wake them; nil when nobody waits
	deadline time.Duration // since start; 0: none
}

// start is what deadlines are counted from; they cost 8 octets that way.
var start = time.Now().Add(-time.Nanosecond)

func (s *side) passed() bool { return s.deadline != 0 && time.Since(start) >= s.deadline }

func (s *side) signal() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// wait lets go of mu until the side is signalled, its deadline passes or also is closed.
func (st *Stream) wait(s *side, also <-chan struct{}) {
	if s.wake == nil {
		s.wake = make(chan struct{})
	}
	wake, deadline := s.wake, s.deadline
	st.mu.Unlock()
	defer st.mu.Lock()
	var late <-chan time.Time
	if deadline != 0 {
		timer := time.NewTimer(deadline - time.Since(start))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-wake:
	case <-also:
	case <-late:
	}
}

// Read implements net.Conn. After the end of the session it returns what had arrived, and then ErrClosed.
func (st *Stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for {
		available, err := st.readable()
		if err != nil {
			return 0, err
		}
		if available > 0 {
			n := st.in.read(b[:min(len(b), available)])
			st.taken(n)
			return n, nil
		}
		st.wait(&st.read, nil)
	}
}

// readable tells how many octets there are before the next end, or why there will be none. mu is held.
func (st *Stream) readable() (int, error) {
	if st.flags.any(closed) {
		return 0, net.ErrClosed
	}
	if st.read.passed() {
		return 0, os.ErrDeadlineExceeded
	}
	available := st.in.size
	atMark := st.flags&(back|reclaims) == back
	if atMark {
		available = int(st.mark)
	}
	switch {
	case available > 0:
		return available, nil
	case atMark, st.flags.any(ended):
		return 0, io.EOF
	case st.flags.any(lost):
		return 0, ErrClosed
	}
	return 0, nil
}

// taken gives the peer credit for what was read, in steps of half a window. mu is held.
func (st *Stream) taken(n int) {
	st.mark -= min(st.mark, uint32(n))
	st.consumed += uint32(n)
	if st.consumed < st.window/2 || st.flags.any(ended|lost) {
		return
	}
	credit := st.consumed
	if st.in.size == 0 && st.window < lastWindow {
		credit += st.window
		st.window *= 2
	}
	st.consumed = 0
	st.allowed += credit
	st.session.out.frame(frameCredit, st.number, binary.BigEndian.AppendUint32(nil, credit))
}

// Write implements net.Conn. It returns when all of b is on its way to the peer; that it arrived is for the protocols to say.
func (st *Stream) Write(b []byte) (n int, err error) {
	st.writing.Lock()
	defer st.writing.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	flushed := true
	for {
		err := st.writable()
		var full <-chan struct{}
		if err == nil && n < len(b) {
			if size := min(len(b)-n, int(st.credit), maxData); size > 0 {
				if full = st.session.out.data(frameData, st.number, b[n:n+size]); full == nil {
					st.credit -= uint32(size)
					n += size
					flushed = false
					continue
				}
			}
		}
		switch {
		case !flushed: // while nobody waits for mu
			st.mu.Unlock()
			st.session.out.flush()
			st.mu.Lock()
			flushed = true
			if n < len(b) {
				continue // much may have happened
			}
			return n, nil
		case err != nil || n == len(b):
			return n, err
		}
		st.wait(&st.write, full)
	}
}

func (st *Stream) writable() error {
	switch {
	case st.flags.any(closed | sentEnd):
		return net.ErrClosed
	case st.flags.any(stopped):
		return errStopped
	case st.flags.any(lost):
		return ErrClosed
	case st.write.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// CloseWrite tells the peer that nothing more comes; reading goes on.
func (st *Stream) CloseWrite() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.flags.any(closed) {
		return net.ErrClosed
	}
	st.endWriting()
	return nil
}

// endWriting sends the end, once. mu is held.
func (st *Stream) endWriting() {
	if !st.flags.any(sentEnd | lost) {
		st.session.out.frame(frameEnd, st.number, nil)
	}
	st.flags |= sentEnd
	st.write.signal()
}

// Close ends the stream in both directions. What was written before still arrives; what the peer sends from now on
// is lost. A parked stream's function is not called any more.
func (st *Stream) Close() error {
	st.mu.Lock()
	if st.flags.any(closed) {
		st.mu.Unlock()
		return nil
	}
	st.endWriting()
	if !st.flags.any(ended | lost) {
		st.session.out.frame(frameStop, st.number, nil)
	}
	st.flags |= closed
	st.parked = nil
	st.in.discard()
	st.read.signal()
	st.mu.Unlock()
	st.session.forget(st)
	return nil
}

// SetDeadline implements net.Conn.
func (st *Stream) SetDeadline(t time.Time) error {
	st.setDeadline(t, &st.read, &st.write)
	return nil
}

// SetReadDeadline implements net.Conn.
func (st *Stream) SetReadDeadline(t time.Time) error {
	st.setDeadline(t, &st.read)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (st *Stream) SetWriteDeadline(t time.Time) error {
	st.setDeadline(t, &st.write)
	return nil
}

func (st *Stream) setDeadline(t time.Time, sides ...*side) {
	deadline := time.Duration(0)
	if !t.IsZero() {
		deadline = max(1, t.Sub(start))
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range sides {
		s.deadline = deadline
		s.signal()
	}
}

// Ended reports whether nothing that is written can arrive any more, as far as this side knows.
func (st *Stream) Ended() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.flags.any(closed | lost | stopped)
}

// LocalAddr is the link's.
func (st *Stream) LocalAddr() net.Addr { return st.session.conn.LocalAddr() }

// RemoteAddr is the link's; the agent's is in the Header.
func (st *Stream) RemoteAddr() net.Addr { return st.session.conn.RemoteAddr() }
