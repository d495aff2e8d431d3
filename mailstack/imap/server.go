// Package imap serves the mailboxes of a cell over IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) and the extensions in
// capability.go, one file for each RFC.
//
// Connections arrive already authenticated: the gateway proved the account to the cell before it opened the stream, so every
// session starts in the authenticated state with a PREAUTH greeting. A session that waits for its client has no goroutine
// and no buffer: its connection is parked. What its client sends, and commits that it has to tell of, start a goroutine that
// ends when the session is quiet again.
package imap

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/store/fulltext"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// Options are the limits of a Server. Zero values mean the defaults.
type Options struct {
	MaxMessageBytes    int64             // largest APPEND, in bytes
	SessionsPerAccount int               // at one time; default 200
	MessageLimit       int64             // messages that one command processes (RFC 9738); default 1,000,000
	Indexes            *fulltext.Indexes // say which messages a search need not read; nil: it reads all
	Logger             *slog.Logger
}

const (
	defaultSessionsPerAccount = 200
	defaultMessageLimit       = 1_000_000

	// Large messages that arrive are read into memory whole: their number, not only their size, is bounded.
	largeMessage     = 1 << 20
	maxLargeMessages = 8
)

// Server serves IMAP sessions on connections given to it with Handle.
type Server struct {
	store     *store.Store
	mailboxes *mailbox.Registry
	options   Options
	log       *slog.Logger
	commands  *telemetry.Counter
	offer     string        // all capabilities
	pushed    atomic.Int64  // see Pushed
	large     chan struct{} // one place for each large message held in memory at once

	mu       sync.Mutex
	sessions map[*Session]struct{}
	accounts map[store.AccountID]int // sessions of each
	closing  bool
	idle     sync.Cond // signalled when a session has ended
}

// New returns a server over the store.
func New(st *store.Store, o Options) *Server {
	if o.SessionsPerAccount == 0 {
		o.SessionsPerAccount = defaultSessionsPerAccount
	}
	if o.MessageLimit == 0 {
		o.MessageLimit = defaultMessageLimit
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		store:     st,
		mailboxes: mailbox.NewRegistry(st, 0),
		options:   o,
		log:       o.Logger,
		offer:     fmt.Sprintf("%s APPENDLIMIT=%d MESSAGELIMIT=%d", capabilities, o.MaxMessageBytes, o.MessageLimit), // RFCs 7889, 9738
		commands: telemetry.NewCounter("messagerie_cell_imap_commands_total",
			"IMAP commands by name, UID variants with the others, and result (ok, no, bad), when answered; IDLE when it begins.",
			"command", "result"),
		large:    make(chan struct{}, maxLargeMessages),
		sessions: make(map[*Session]struct{}),
		accounts: make(map[store.AccountID]int),
	}
	s.idle.L = &s.mu
	return s
}

// Handle greets the client of a connection and serves it. It returns as soon as the session sleeps for the first time; the
// session goes on by itself and closes the connection at its end.
func (s *Server) Handle(c *streams.Conn) {
	session := newSession(s, c)
	if refusal := s.admit(session); refusal != "" {
		_, _ = c.Write([]byte("* BYE " + refusal + "\r\n"))
		_ = c.Close()
		return
	}
	session.greet()
}

// admit counts a session, or says why there must not be another one.
func (s *Server) admit(session *Session) (refusal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := session.account.ID
	switch {
	case s.closing:
		return "[UNAVAILABLE] Server is shutting down"
	case s.accounts[id] >= s.options.SessionsPerAccount:
		return "[LIMIT] Too many sessions of this account"
	}
	s.accounts[id]++
	s.sessions[session] = struct{}{}
	return ""
}

func (s *Server) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := session.account.ID
	delete(s.sessions, session)
	if s.accounts[id]--; s.accounts[id] == 0 {
		delete(s.accounts, id)
	}
	s.idle.Broadcast()
}

// Sessions returns the number of open sessions.
func (s *Server) Sessions() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.sessions))
}

// Commands counts commands by name and result.
func (s *Server) Commands() *telemetry.Counter { return s.commands }

// Pushed returns how many times changes were told to sessions that idle.
func (s *Server) Pushed() int64 { return s.pushed.Load() }

// Close says BYE to every session and returns when all have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.bye("Server is shutting down, please reconnect", func(*Session) bool { return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.sessions) > 0 {
		s.idle.Wait()
	}
	return nil
}

// Disconnect says BYE to the sessions of every account for which gone is true.
func (s *Server) Disconnect(gone func(address string) bool) {
	s.bye("Account is no longer enabled", func(session *Session) bool { return gone(session.account.Address) })
}

// bye ends sessions, some at a time.
func (s *Server) bye(text string, match func(*Session) bool) {
	s.mu.Lock()
	matched := slices.Collect(maps.Keys(s.sessions))
	s.mu.Unlock()
	matched = slices.DeleteFunc(matched, func(session *Session) bool { return !match(session) }) // may ask the store
	var wg sync.WaitGroup
	places := make(chan struct{}, 64)
	for _, session := range matched {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			session.dismiss(text)
		})
	}
	wg.Wait()
}
