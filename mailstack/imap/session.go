package imap

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/imap/deflate"
	"gouv.tg/messagerie/mailstack/imap/wire"
	"gouv.tg/messagerie/mailstack/store"
)

const (
	delimiter = '/'

	// A command that has begun to arrive has so long for each of its lines and literals; the gateway minds how long a
	// session may keep silent.
	commandTimeout = 5 * time.Minute
	// A client has so long to take what it asked for.
	writeTimeout = 5 * time.Minute
	// byeTimeout is for the last words to a client.
	byeTimeout = 5 * time.Second
	// maxErrors ends a session that says nothing but nonsense.
	maxErrors = 20
)

// Session is one IMAP session of one account.
type Session struct {
	server  *Server
	conn    *streams.Conn
	account store.Account
	ctx     context.Context // ends with the session
	cancel  context.CancelFunc

	news      atomic.Bool            // a push is on its way
	dismissed atomic.Pointer[string] // why the server ends the session

	mu         sync.Mutex // held by the one goroutine that serves the client or pushes to it
	r          *wire.Reader
	w          *wire.Writer
	inflater   *deflate.Reader // what r reads from when the client compresses (RFC 4978)
	ended      bool
	errors     int
	enabled    enabled
	selected   *selected // nil: no mailbox is selected
	uidCommand bool      // a UID command is under way
	written    flagText  // the last flags of a message
	idling     string    // tag of the IDLE under way; empty: none
	notices    *notices  // nil: NOTIFY was never used
	feed       *feed     // nil: nothing but the selected mailbox is of interest
}

func newSession(s *Server, c *streams.Conn) *Session {
	session := &Session{server: s, conn: c, account: c.Account}
	session.ctx, session.cancel = context.WithCancel(context.Background())
	session.r = wire.NewReader(input{session}, wire.Limits{}, session.goAhead)
	session.w = wire.NewWriter(output{session})
	return session
}

// greet starts the session (RFC 9051, 7.1.4).
func (s *Session) greet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.Raw("* PREAUTH [CAPABILITY " + s.server.offer + "] Messagerie ready\r\n")
	s.sleep()
}

// serve answers the client, who has said something, until it is silent again.
func (s *Session) serve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for first := true; !s.ended && s.heard(first); first = false {
		if why := s.dismissed.Load(); why != nil {
			s.bye(*why)
			return
		}
		s.next()
	}
	s.sleep()
}

// heard tells whether the client has said something that is not read yet. first tells that its connection was parked.
func (s *Session) heard(first bool) bool {
	if s.r.Buffered() > 0 {
		return true
	}
	if s.inflater != nil {
		return s.inflates(first)
	}
	return first || s.conn.Buffered() > 0
}

// sleep parks the connection until the client speaks.
func (s *Session) sleep() {
	if s.ended {
		return
	}
	if err := s.w.Flush(); err != nil {
		s.end()
		return
	}
	s.r.Release()
	s.conn.Park(s.serve)
}

// next takes one command, or the end of an IDLE.
func (s *Session) next() {
	var err error
	if s.idling != "" {
		err = s.done()
	} else {
		err = s.command()
	}
	switch {
	case err == nil:
	case errors.Is(err, wire.ErrTooLong):
		s.bye("[TOOBIG] Command is too long")
	case errors.Is(err, deflate.ErrCorrupt):
		s.bye("Compressed data are corrupt")
	case s.dismissed.Load() != nil: // what was being read was cut off by it
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.bye("Autologout")
	default:
		s.end() // the connection is gone
	}
}

// goAhead tells the client to send a literal (RFC 9051, 7.6).
func (s *Session) goAhead(text string) error {
	s.w.Raw("+ " + text + "\r\n")
	return s.w.Flush()
}

// bye says why the session ends, and ends it.
func (s *Session) bye(text string) {
	_ = s.conn.SetWriteDeadline(time.Now().Add(byeTimeout))
	s.w.Raw("* BYE " + text + "\r\n")
	_ = s.w.Flush()
	s.end()
}

// end ends the session.
func (s *Session) end() {
	if s.ended {
		return
	}
	s.ended = true
	s.cancel()
	s.unselect()
	s.feed.close()
	s.r.Release()
	_ = s.conn.Close()
	s.server.forget(s)
}

// dismiss ends a session from outside, after what it is doing.
func (s *Session) dismiss(text string) {
	if !s.dismissed.CompareAndSwap(nil, &text) {
		return
	}
	s.cancel()
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	_ = s.conn.SetWriteDeadline(time.Now().Add(byeTimeout)) // a client that takes nothing does not hold this up
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.bye(text)
	}
}

// wake is called on the goroutine of the store's writer when the selected mailbox has changed.
func (s *Session) wake() {
	if s.news.CompareAndSwap(false, true) {
		go s.push()
	}
}

// push tells a session what has happened while it idles (RFC 2177) or listens all the time (RFC 5465); otherwise only that
// it has lost its mailbox.
func (s *Session) push() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news.Store(false)
	if s.ended {
		return
	}
	s.reviewRights()
	if s.ended || s.idling == "" && s.notices == nil {
		return // the next command, or the end of the IDLE, tells the rest
	}
	s.tell()
}

// tell is the work of push.
func (s *Session) tell() {
	if s.selected != nil {
		s.tellRights()
		s.update(s.idling != "" || !s.notices.delayed)
	}
	s.deliver()
	if s.ended {
		return
	}
	told := s.w.Buffered() > 0
	if err := s.w.Flush(); err != nil {
		s.end()
		return
	}
	if told {
		s.server.pushed.Add(1)
	}
}

// input is the connection with a deadline for each read.
type input struct{ s *Session }

func (i input) Read(b []byte) (int, error) {
	if i.s.dismissed.Load() != nil {
		return 0, os.ErrDeadlineExceeded
	}
	_ = i.s.conn.SetReadDeadline(time.Now().Add(commandTimeout))
	return i.s.conn.Read(b)
}

// output is the connection with a deadline for each write.
type output struct{ s *Session }

func (o output) Write(b []byte) (int, error) {
	if o.s.dismissed.Load() == nil {
		_ = o.s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	return o.s.conn.Write(b)
}

var (
	_ io.Reader = input{}
	_ net.Conn  = (*streams.Conn)(nil)
)
