package link

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// handbackTimeout bounds how long a peer may take to return a stream.
const handbackTimeout = 30 * time.Second

var errHandback = errors.New("peer sends on after its session was handed back")

// Park has ready called once, on a goroutine of its own, when Read would no longer wait: when there is data, the end of the
// stream or of the session. If that is so already, it is called at once. Until then the stream costs neither
// a goroutine nor a buffer. Deadlines do not end it; Close does, and ready is not called then.
//
// A stream that has been parked once outlives its handler (see Session.Serve): it is for its user to close. There must
// be no Read while it is parked; writing goes on.
func (st *Stream) Park(ready func()) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.flags |= keeps
	if st.flags.any(closed) {
		return
	}
	if available, err := st.readable(); available > 0 || err != nil {
		go ready()
		return
	}
	st.parked = ready
}

// Unpark takes a parked stream back. False: it was not parked, or ready was or is being called.
func (st *Stream) Unpark() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	was := st.parked != nil
	st.parked = nil
	return was
}

// Buffered returns how many octets Read gives without waiting.
func (st *Stream) Buffered() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	available, _ := st.readable()
	return available
}

// arrived wakes whoever waits for something to read. mu is held.
func (st *Stream) arrived() {
	st.read.signal()
	if ready := st.parked; ready != nil {
		st.parked = nil
		go ready()
	}
}

// Handback ends the stream and tells the peer that the agent's connection returns to the not authenticated state
// (UNAUTHENTICATE, RFC 8437). An agent may have sent its next commands already; they are returned to the peer: first
// unread, which the caller had read and not used, then what is still on its way. It waits for the peer's answer.
func (st *Stream) Handback(unread []byte) error {
	st.mu.Lock()
	err := st.writable()
	if err == nil {
		st.session.out.frame(frameBack, st.number, nil)
	}
	st.mu.Unlock()
	defer st.Close()
	if err != nil {
		return fmt.Errorf("cannot hand session back: %w", err)
	}
	st.SetDeadline(time.Now().Add(handbackTimeout))
	rest, err := io.ReadAll(io.LimitReader(st, lastWindow+1))
	if err == nil && len(rest) > lastWindow {
		err = errHandback
	}
	for _, b := range [][]byte{unread, rest} {
		if err == nil {
			_, err = st.Write(b)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot hand session back: %w", err)
	}
	return nil
}

// HandedBack reports, after Read has returned io.EOF, whether the peer has ended with Handback. Then Reclaim is due.
func (st *Stream) HandedBack() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.flags.any(back)
}

// Reclaim answers Handback: it ends writing, and from then on Read returns what the peer was sent after the command that
// ended the session, until io.EOF.
func (st *Stream) Reclaim() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.endWriting()
	st.flags |= reclaims
}
