package link

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// receive reads frames until the connection ends: nil at its orderly end. It never waits for a stream.
func (s *Session) receive() error {
	buf := make([]byte, 2*(frameHead+maxPayload))
	end := 0
	for {
		n, err := s.conn.Read(buf[end:])
		end += n
		if n > 0 {
			s.heard.Store(true)
		}
		used, broken := s.frames(buf[:end])
		if broken != nil {
			return broken
		}
		end = copy(buf, buf[used:end])
		if errors.Is(err, io.EOF) && end == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// frames takes the complete frames of b and returns how many octets they are.
func (s *Session) frames(b []byte) (used int, err error) {
	for {
		f, size, err := parseFrame(b[used:])
		if err == nil && size > 0 {
			err = s.take(f)
		}
		if err != nil || size == 0 {
			return used, err
		}
		used += size
	}
}

// take does what a frame says. A frame for a stream that is not open any more was on its way when we closed it.
func (s *Session) take(f muxFrame) error {
	switch f.kind {
	case framePing:
		s.out.frame(framePong, 0, f.payload)
		return nil
	case framePong:
		return nil
	case frameAway:
		s.mu.Lock()
		s.peerAway = true
		s.mu.Unlock()
		return nil
	case frameOpen:
		return s.accept(f)
	}
	s.mu.Lock()
	st := s.streams[f.stream]
	s.mu.Unlock()
	if st == nil {
		return nil
	}
	return st.take(f)
}

// accept takes a stream that the peer opens, or refuses it.
func (s *Session) accept(f muxFrame) error {
	var h Header
	if err := json.Unmarshal(f.payload, &h); err != nil {
		return fmt.Errorf("%w: header: %w", errFrame, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.stream%2 == s.next%2 || s.streams[f.stream] != nil {
		return fmt.Errorf("%w: stream %d is not the peer's to open", errFrame, f.stream)
	}
	if s.away || s.err != nil || s.peers >= maxStreams {
		s.out.frame(frameEnd, f.stream, nil)
		s.out.frame(frameStop, f.stream, nil)
		return nil
	}
	st := &Stream{Header: h, session: s, number: f.stream, credit: firstWindow, allowed: firstWindow, window: firstWindow, holds: 2}
	s.streams[f.stream] = st
	s.peers++
	s.accepted.Add(1)
	if s.handle == nil {
		s.waiting = append(s.waiting, st)
	} else {
		go s.handle(st)
	}
	return nil
}

// take does what a frame of this stream says.
func (st *Stream) take(f muxFrame) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.flags.any(closed) {
		return nil
	}
	switch f.kind {
	case frameData:
		if len(f.payload) > int(st.allowed) || st.flags.any(ended) {
			return fmt.Errorf("%w: %d octets where %d are allowed", errFrame, len(f.payload), st.allowed)
		}
		st.allowed -= uint32(len(f.payload))
		st.in.write(f.payload)
		st.arrived()
	case frameCredit:
		credit := binary.BigEndian.Uint32(f.payload)
		if uint64(st.credit)+uint64(credit) > lastWindow {
			return fmt.Errorf("%w: credit of %d octets", errFrame, credit)
		}
		st.credit += credit
		st.write.signal()
	case frameEnd:
		st.flags |= ended
		st.arrived()
	case frameStop:
		st.flags |= stopped
		st.write.signal()
	case frameBack:
		if st.flags.any(back | ended) {
			return fmt.Errorf("%w: stream is handed back twice", errFrame)
		}
		st.flags |= back
		st.mark = uint32(st.in.size)
		st.arrived()
	}
	return nil
}

// lose tells the stream that its session has ended.
func (st *Stream) lose() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.flags |= lost
	st.write.signal()
	st.arrived()
}

// handled is called when the handler has returned.
func (st *Stream) handled() {
	st.mu.Lock()
	kept := st.flags.any(keeps)
	st.mu.Unlock()
	if !kept {
		st.Close()
	}
	st.release()
}

// release lets go of one of the holds of a stream that the peer opened; without any, Serve does not wait for it.
func (st *Stream) release() {
	st.mu.Lock()
	st.holds--
	last := st.holds == 0
	st.mu.Unlock()
	if last {
		st.session.accepted.Done()
	}
}

// forget takes a closed stream out of the session.
func (s *Session) forget(st *Stream) {
	if s.drop(st) {
		st.release()
	}
}

// drop reports whether the peer opened the stream.
func (s *Session) drop(st *Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st.number)
	peers := st.number%2 != s.next%2
	if peers {
		s.peers--
	}
	return peers
}

// keep sends pings, and ends the session when they bring nothing or a write does not come to its end. It returns
// when the session has ended. What counts are ticks of ours, not the time: a machine that stood still has heard nothing either.
func (s *Session) keep() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	silent := 0
	for {
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
		if silent++; s.heard.Swap(false) {
			silent = 0
		}
		if silent > silentPings || s.out.stuck(writeTimeout) {
			s.end(errors.New("peer does not answer"))
			return
		}
		s.out.frame(framePing, 0, make([]byte, 8))
	}
}
