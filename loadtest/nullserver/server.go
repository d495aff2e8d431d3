// Package nullserver is a mail server in memory that costs next to nothing: SMTP, submission and LMTP (RFC 5321, 6409, 2033) on one side,
// IMAP4rev1 (RFC 3501) on the other. A load generator's own cost is measured against it, and its faults and stalls prove that a load
// test finds what it claims to find. It is no mail server for people: nothing is stored on disk and nothing is sent on.
package nullserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/loadtest/nullserver/internal/imap"
	"gouv.tg/messagerie/loadtest/nullserver/internal/mailbox"
	"gouv.tg/messagerie/loadtest/nullserver/internal/smtp"
)

const (
	maxConnections   = 1 << 16
	handshakeTimeout = time.Minute // on a starved machine tens of thousands of handshakes wait for each other
	acceptPause      = 10 * time.Millisecond
)

// Server is a running null server.
type Server struct {
	options   Options
	started   time.Time
	listeners map[string]net.Listener
	store     *mailbox.Store
	smtp      *smtp.Server
	imap      *imap.Server

	done        chan struct{}
	running     sync.WaitGroup
	mu          sync.Mutex
	closed      bool
	connections map[net.Conn]struct{}

	accepted, handshakes atomic.Int64
}

// Start listens on free ports of o.Address and serves until Close.
func Start(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	s := &Server{
		options: o, started: time.Now(), listeners: map[string]net.Listener{}, done: make(chan struct{}),
		connections: map[net.Conn]struct{}{}, store: &mailbox.Store{Keep: o.Keep},
	}
	s.setFaults()
	s.smtp = &smtp.Server{Store: s.store, Accounts: o.Accounts, Commands: smtp.Commands()}
	s.imap = &imap.Server{Store: s.store, Accounts: o.Accounts, CondStore: o.CondStore, Go: s.running.Go, Commands: imap.Commands()}
	if o.TLS != nil {
		s.smtp.StartTLS, s.imap.StartTLS = s.handshake, s.handshake
	}
	if o.Stall.For > 0 {
		s.smtp.Hold, s.imap.Hold = s.hold, s.hold
	}
	for name, e := range s.endpoints() {
		if e.tls && o.TLS == nil {
			continue
		}
		l, err := net.Listen("tcp", netip.AddrPortFrom(o.Address, 0).String())
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.listeners[name] = l
		s.running.Go(func() { s.accept(l, e) })
	}
	return s, nil
}

type endpoint struct {
	tls   bool
	serve func(net.Conn)
}

func (s *Server) endpoints() map[string]endpoint {
	role := func(r smtp.Role) func(net.Conn) { return func(c net.Conn) { s.smtp.Serve(c, r) } }
	return map[string]endpoint{
		"smtp":        {false, role(smtp.Exchanger)},
		"lmtp":        {false, role(smtp.Delivery)},
		"submission":  {false, role(smtp.Submission)},
		"submissions": {true, role(smtp.Submission)},
		"imap":        {false, s.imap.Serve},
		"imaps":       {true, s.imap.Serve},
	}
}

// Endpoints are the addresses, host:port, of "smtp", "lmtp", "submission", "imap" and, with TLS, of "submissions" and "imaps".
func (s *Server) Endpoints() map[string]string {
	endpoints := map[string]string{}
	for name, l := range s.listeners {
		endpoints[name] = l.Addr().String()
	}
	return endpoints
}

// Close ends every session and returns when no goroutine is left. It may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	for c := range s.connections {
		_ = c.Close()
	}
	s.mu.Unlock()
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.running.Wait()
	return errors.Join(errs...)
}

func (s *Server) accept(l net.Listener, e endpoint) {
	for {
		c, err := l.Accept()
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(acceptPause): // out of descriptors, as a rule
				continue
			}
		}
		if !s.track(c) {
			_ = c.Close()
			continue
		}
		s.running.Go(func() {
			defer s.forget(c)
			s.serve(c, e)
		})
	}
}

func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.connections) >= maxConnections {
		return false
	}
	s.connections[c] = struct{}{}
	s.accepted.Add(1)
	return true
}

func (s *Server) forget(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	delete(s.connections, c)
	s.mu.Unlock()
}

func (s *Server) serve(c net.Conn, e endpoint) {
	if !e.tls {
		e.serve(c)
		return
	}
	if secure, err := s.handshake(c); err == nil {
		e.serve(secure)
	}
}

// handshake runs in a goroutine of its own: the deep stack that it needs is then given back at once, not kept by a session that waits.
func (s *Server) handshake(c net.Conn) (*tls.Conn, error) {
	secure := tls.Server(c, s.options.TLS)
	failed := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		failed <- secure.HandshakeContext(ctx)
	}()
	if err := <-failed; err != nil {
		return nil, err
	}
	s.handshakes.Add(1)
	return secure, nil
}

// hold returns when there is no stall.
func (s *Server) hold() {
	left := s.options.Stall.left(time.Since(s.started))
	if left <= 0 {
		return
	}
	over := time.NewTimer(left)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.done:
	}
}
