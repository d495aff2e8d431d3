// Package imap serves the mailboxes of a cell over IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051).
//
// Connections arrive already authenticated: the gateway proved the account to the cell before it opened the stream,
// so every session starts in the authenticated state with a PREAUTH greeting.
package imap

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/store"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// Options are the limits of a Server.
type Options struct {
	MaxMessageBytes int64 // largest APPEND, in bytes
	Logger          *slog.Logger
}

// Server serves IMAP sessions on connections given to it with Handle.
type Server struct {
	store    *store.Store
	options  Options
	log      *slog.Logger
	listener *streams.Listener
	server   *imapserver.Server
	commands *telemetry.Counter
	pushed   atomic.Int64  // see Pushed
	appends  chan struct{} // one place for each large APPEND held in memory at once

	mu       sync.Mutex
	sessions map[*Session]struct{}
	closing  bool
	served   chan struct{} // closed when Serve returns; nil: it was never called
	count    atomic.Int64
}

// Large APPENDs are read into memory whole: their number, not only their size, is bounded.
const (
	largeAppend     = 1 << 20
	maxLargeAppends = 8
)

// New returns a server over the store. Serve must run for Handle to make progress.
func New(st *store.Store, o Options) *Server {
	s := &Server{
		store:    st,
		options:  o,
		log:      o.Logger,
		listener: streams.NewListener("imap"),
		commands: telemetry.NewCounter("messagerie_cell_imap_commands_total",
			"IMAP commands by name, UID variants with the others, and result (ok, no, bad), when answered; IDLE when it begins.",
			"command", "result"),
		appends:  make(chan struct{}, maxLargeAppends),
		sessions: make(map[*Session]struct{}),
	}
	s.server = imapserver.New(&imapserver.Options{
		NewSession: s.newSession,
		Caps: imap.CapSet{
			imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {},
			imap.CapESearch: {}, imap.CapSearchRes: {}, imap.CapListExtended: {}, imap.CapListStatus: {},
			imap.CapMove: {}, imap.CapStatusSize: {}, imap.CapBinary: {}, imap.CapChildren: {},
			imap.CapSpecialUse: {}, imap.CapCreateSpecialUse: {},
		},
		Logger: printfLogger{o.Logger},
	})
	return s
}

// Serve runs until Close. It is called once.
func (s *Server) Serve() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.served = make(chan struct{})
	s.mu.Unlock()
	defer close(s.served)
	if err := s.server.Serve(s.listener); err != nil {
		return fmt.Errorf("cannot serve IMAP: %w", err)
	}
	return nil
}

// Handle serves one session of the connection's account and returns when it is over.
func (s *Server) Handle(c *streams.Conn) error {
	c.Conn = &wire{Conn: c.Conn, commands: s.commands}
	return s.listener.Serve(c)
}

// Sessions returns the number of open sessions.
func (s *Server) Sessions() int64 { return s.count.Load() }

// Commands counts commands by name and result.
func (s *Server) Commands() *telemetry.Counter { return s.commands }

// Pushed returns how many commits were told to sessions that idle.
func (s *Server) Pushed() int64 { return s.pushed.Load() }

// Close says BYE to every session and closes it.
func (s *Server) Close() error {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closing = true
	served := s.served
	s.mu.Unlock()
	if served != nil {
		<-served // the library does not like to be closed while it begins to serve
	}
	s.bye("Server is shutting down, please reconnect", func(*Session) bool { return true })
	return s.server.Close()
}

// Disconnect says BYE to the sessions of every account for which gone is true.
func (s *Server) Disconnect(gone func(address string) bool) {
	s.bye("Account is no longer enabled", func(session *Session) bool { return gone(session.account.Address) })
}

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
			_ = session.conn.Bye(text)
		})
	}
	wg.Wait()
}

func (s *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	pre, ok := c.NetConn().(*streams.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("cannot serve a connection of type %T", c.NetConn())
	}
	w, ok := pre.Conn.(*wire)
	if !ok {
		return nil, nil, fmt.Errorf("cannot serve a connection that did not come through Handle")
	}
	ctx, cancel := context.WithCancel(context.Background())
	session := &Session{
		server: s, conn: c, wire: w, store: s.store, account: pre.Account, ctx: ctx, cancel: cancel,
		log: s.log.With("account", pre.Account.Address),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		cancel()
		return nil, nil, &imap.Error{Type: imap.StatusResponseTypeBye, Code: imap.ResponseCodeUnavailable, Text: "Server is shutting down"}
	}
	s.sessions[session] = struct{}{}
	s.count.Add(1)
	return session, &imapserver.GreetingData{PreAuth: true}, nil
}

func (s *Server) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sessions[session]; ok {
		delete(s.sessions, session)
		s.count.Add(-1)
	}
}

// printfLogger is the library's logger over slog. What the library reports are broken connections and bugs.
type printfLogger struct{ log *slog.Logger }

func (l printfLogger) Printf(format string, args ...any) {
	l.log.Warn("imap: " + fmt.Sprintf(format, args...))
}
