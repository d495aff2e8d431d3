package link

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a session.
const (
	handshakeTimeout = 10 * time.Second
	keepAlive        = 10 * time.Second // between pings
	silentPings      = 2                // unanswered ones after which the peer is dead
	writeTimeout     = 10 * time.Second
	lingerTime       = 2 * time.Second // for the last frames to reach the peer when the session is closed
	maxStreams       = 1 << 15         // opened by the peer, at one time
)

// ErrClosed reports a session that has ended.
var ErrClosed = errors.New("link is closed")

// Session is one link: many streams over one connection.
type Session struct {
	conn     *tls.Conn
	out      *output
	heard    atomic.Bool   // something came since the last ping
	done     chan struct{} // the session has ended
	gone     chan struct{} // and its connection is closed
	accepted sync.WaitGroup

	mu       sync.Mutex
	streams  map[uint32]*Stream
	next     uint32        // number of the next stream we open
	peers    int           // streams opened by the peer
	handle   func(*Stream) // nil until Serve
	waiting  []*Stream     // opened by the peer before Serve
	err      error         // why the session has ended
	peerAway bool          // the peer takes no more streams
	away     bool          // nor do we
}

// Dial connects to a cell and proves both identities. config comes from ClientConfig.
func Dial(ctx context.Context, address string, config *tls.Config) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot dial link: %w", err)
	}
	return open(ctx, tls.Client(conn, config), 1)
}

// Accept makes a session of a connection that a gateway has just opened. config comes from ServerConfig.
// It closes conn when it fails.
func Accept(ctx context.Context, conn net.Conn, config *tls.Config) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return open(ctx, tls.Server(conn, config), 2)
}

func open(ctx context.Context, conn *tls.Conn, first uint32) (*Session, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot secure link: %w", err)
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != ALPN {
		conn.Close()
		return nil, fmt.Errorf("cannot secure link: protocol %q, want %q", got, ALPN)
	}
	s := &Session{conn: conn, out: newOutput(conn), next: first, streams: map[uint32]*Stream{},
		done: make(chan struct{}), gone: make(chan struct{})}
	go s.run()
	return s, nil
}

// run has the session live until it ends, and then closes the connection once the peer has what was sent.
func (s *Session) run() {
	var loops sync.WaitGroup
	loops.Go(func() {
		if err := s.out.run(); err != nil {
			s.end(fmt.Errorf("cannot write: %w", err))
			return
		}
		s.conn.CloseWrite()
	})
	loops.Go(func() { s.end(s.receive()) })
	s.keep()
	s.conn.SetDeadline(time.Now().Add(lingerTime))
	loops.Wait()
	s.conn.Close()
	close(s.gone)
}

// end ends the session for the first reason there is; nil is the peer's orderly end.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if s.err = err; err == nil {
		s.err = ErrClosed
	}
	all := make([]*Stream, 0, len(s.streams))
	for _, st := range s.streams {
		all = append(all, st)
	}
	s.mu.Unlock()
	for _, st := range all {
		st.lose()
	}
	s.out.close()
	close(s.done)
}

// Open opens a stream and sends its header.
func (s *Session) Open(h Header) (*Stream, error) {
	payload, err := json.Marshal(h)
	if err != nil || len(payload) > maxHeader {
		return nil, fmt.Errorf("cannot open stream: header of %d octets; accepted are %d", len(payload), maxHeader)
	}
	st, err := s.newStream(h)
	if err != nil {
		return nil, fmt.Errorf("cannot open stream: %w", err)
	}
	timeout := time.NewTimer(HeaderTimeout)
	defer timeout.Stop()
	for {
		full := s.out.data(frameOpen, st.number, payload)
		if full == nil {
			s.out.flush()
			return st, nil
		}
		select {
		case <-full:
			continue
		case <-timeout.C:
			err = errors.New("peer reads too slowly")
		case <-s.done:
			err = ErrClosed
		}
		s.drop(st)
		return nil, fmt.Errorf("cannot open stream: %w", err)
	}
}

func (s *Session) newStream(h Header) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, ErrClosed
	case s.peerAway || s.away:
		return nil, errors.New("link takes no more streams")
	case len(s.streams)-s.peers >= maxStreams:
		return nil, errors.New("too many streams")
	}
	for s.next == 0 || s.streams[s.next] != nil {
		s.next += 2
	}
	st := &Stream{Header: h, session: s, number: s.next, credit: firstWindow, allowed: firstWindow, window: firstWindow}
	s.streams[st.number] = st
	s.next += 2
	return st, nil
}

// Serve takes the streams that the peer opens until the session ends or ctx is done, and calls handle for each in its own
// goroutine. It closes the stream when handle returns, unless it was parked: such a stream lives on until it is closed.
// Serve returns once every handle has returned and every stream has been closed; the session is closed by then. A peer over
// its limit of streams loses the newest.
func (s *Session) Serve(ctx context.Context, handle func(context.Context, *Stream)) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	run := func(st *Stream) {
		handle(serving, st)
		st.handled()
	}
	s.mu.Lock()
	s.handle = run
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, st := range waiting {
		go run(st)
	}
	<-s.done
	cancel()
	s.accepted.Wait()
	if s.err == ErrClosed || ctx.Err() != nil {
		return ErrClosed
	}
	return fmt.Errorf("link is lost: %w", s.err)
}

// GoAway tells the peer to open no more streams; those that are open go on.
func (s *Session) GoAway() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return ErrClosed
	}
	if !s.away {
		s.away = true
		s.out.frame(frameAway, 0, nil)
	}
	return nil
}

// NumStreams counts the open streams of both directions.
func (s *Session) NumStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// Close ends the session and all its streams. What was written to them is sent first, for a short while.
func (s *Session) Close() error {
	s.end(nil)
	<-s.gone
	return nil
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil until the session has ended, then ErrClosed.
func (s *Session) Err() error {
	select {
	case <-s.done:
		return ErrClosed
	default:
		return nil
	}
}

// RemoteAddr is the peer's address.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }
