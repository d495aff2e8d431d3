package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Bounds of a session.
const (
	handshakeTimeout = 10 * time.Second
	keepAlive        = 10 * time.Second // a dead peer is noticed within twice this
	writeTimeout     = 10 * time.Second
	maxStreams       = 1 << 15 // opened by the peer, at one time
	acceptBacklog    = 256
)

// ErrClosed reports a session that has ended.
var ErrClosed = errors.New("link is closed")

// Session is one link: many streams over one connection.
type Session struct {
	mux  *yamux.Session
	conn net.Conn
}

// Stream is one stream of a session, after its header.
type Stream struct {
	*yamux.Stream
	Header Header
}

// CloseWrite tells the peer that nothing more comes; reading goes on.
func (s *Stream) CloseWrite() error { return s.Stream.Close() }

// Dial connects to a cell and proves both identities. config comes from ClientConfig.
func Dial(ctx context.Context, address string, config *tls.Config) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot dial link: %w", err)
	}
	return open(ctx, tls.Client(conn, config), yamux.Client)
}

// Accept makes a session of a connection that a gateway has just opened. config comes from ServerConfig.
// It closes conn when it fails.
func Accept(ctx context.Context, conn net.Conn, config *tls.Config) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return open(ctx, tls.Server(conn, config), yamux.Server)
}

func open(ctx context.Context, conn *tls.Conn, start func(io.ReadWriteCloser, *yamux.Config) (*yamux.Session, error)) (*Session, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot secure link: %w", err)
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != ALPN {
		conn.Close()
		return nil, fmt.Errorf("cannot secure link: protocol %q, want %q", got, ALPN)
	}
	mux, err := start(&coalescer{Conn: conn}, &yamux.Config{
		AcceptBacklog:          acceptBacklog,
		EnableKeepAlive:        true,
		KeepAliveInterval:      keepAlive,
		ConnectionWriteTimeout: writeTimeout,
		MaxStreamWindowSize:    256 << 10,
		StreamOpenTimeout:      30 * time.Second,
		StreamCloseTimeout:     2 * time.Minute,
		Logger:                 log.New(io.Discard, "", 0), // every fault also ends a stream or the session, and is logged there
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot start link: %w", err)
	}
	return &Session{mux: mux, conn: conn}, nil
}

// Open opens a stream and sends its header.
func (s *Session) Open(h Header) (*Stream, error) {
	st, err := s.mux.OpenStream()
	if err != nil {
		return nil, fmt.Errorf("cannot open stream: %w", err)
	}
	st.SetWriteDeadline(time.Now().Add(HeaderTimeout))
	if err := WriteFrame(st, h); err != nil {
		st.Close()
		return nil, err
	}
	st.SetWriteDeadline(time.Time{})
	return &Stream{Stream: st, Header: h}, nil
}

// Serve accepts streams until the session ends or ctx is done, calls handle for each in its own goroutine after reading
// the header, and closes the stream when handle returns. It returns once every handle has returned; the session
// is closed by then. A peer over its limit of streams loses the newest.
func (s *Session) Serve(ctx context.Context, handle func(context.Context, *Stream)) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	slots := make(chan struct{}, maxStreams)
	for {
		st, err := s.mux.AcceptStream()
		if err != nil {
			s.Close()
			if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, yamux.ErrSessionShutdown) {
				return ErrClosed
			}
			return fmt.Errorf("link is lost: %w", err)
		}
		select {
		case slots <- struct{}{}:
		default:
			st.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			defer st.Close()
			st.SetReadDeadline(time.Now().Add(HeaderTimeout))
			var h Header
			if err := ReadFrame(st, &h); err != nil {
				return
			}
			st.SetReadDeadline(time.Time{})
			handle(ctx, &Stream{Stream: st, Header: h})
		})
	}
}

// GoAway tells the peer to open no more streams; those that are open go on.
func (s *Session) GoAway() error { return s.mux.GoAway() }

// NumStreams counts the open streams of both directions.
func (s *Session) NumStreams() int { return s.mux.NumStreams() }

// Close ends the session and all its streams.
func (s *Session) Close() error { return s.mux.Close() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.mux.CloseChan() }

// Err is nil until the session has ended, then ErrClosed.
func (s *Session) Err() error {
	if s.mux.IsClosed() {
		return ErrClosed
	}
	return nil
}

// RemoteAddr is the peer's address.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }
