// Package smtp takes mail into a cell: message submission by agents (RFC 6409) and local delivery (package handover).
//
// Both speak on streams that a gateway opened. A submission arrives already authenticated; its account is that of the
// connection. An acknowledgement is only sent once the store has the message on disk.
package smtp

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/store"
)

// Options describe the ministry whose mail is taken in.
type Options struct {
	Hostname        string   // in Received fields and greetings
	Domains         []string // own domains, lower case
	SharedDomain    string   // empty: none
	MaxMessageBytes int64
	MaxRecipients   int
	OutboundRelay   bool // mail for domains outside the platform is accepted
	Selector        string
	Key             crypto.Signer // DKIM key; nil: nothing is signed
	QueueLifetime   time.Duration // how long an onward recipient is tried
	Relay           Relay
	Logger          *slog.Logger
}

// Relay opens streams to a gateway, on which the gateway speaks LMTP for recipients of other cells.
type Relay interface {
	OpenRelay(ctx context.Context) (net.Conn, error)
}

// Counts are what a Server has done since it started.
type Counts struct {
	Submitted  int64 // messages accepted from agents
	Delivered  int64 // messages accepted for mailboxes here
	Recipients int64 // mailboxes here that messages were put into
	Refused    int64 // recipients and messages refused for good
}

// Server serves submissions and deliveries.
type Server struct {
	store   *store.Store
	options Options
	log     *slog.Logger

	submission        *smtp.Server
	submissionStreams *streams.Listener
	deliveries        open
	large             chan struct{} // a place for each large message held in memory at once

	submitted, delivered, recipients, refused, sessions atomic.Int64
}

// Bounds of sessions and of the memory for messages.
const (
	readTimeout    = 10 * time.Minute // longer than the gateway's own, which answers the agent
	writeTimeout   = time.Minute
	storeTimeout   = 2 * time.Minute
	largeMessage   = 512 << 10
	maxLarge       = 8
	traceAllowance = 64 << 10 // room for the trace fields that a message gathers between two cells
	maxHops        = 50       // Received fields (RFC 5321, 6.3)
)

// New returns a server over the store. Serve must run for the handlers to make progress.
func New(st *store.Store, o Options) *Server {
	s := &Server{
		store: st, options: o, log: o.Logger,
		submissionStreams: streams.NewListener("submission"), large: make(chan struct{}, maxLarge),
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		conn, ok := c.Conn().(*streams.Conn)
		if !ok {
			return nil, fmt.Errorf("cannot serve a connection of type %T", c.Conn())
		}
		s.sessions.Add(1)
		return &submission{server: s, conn: c, stream: conn, log: s.log.With("account", conn.Account.Address)}, nil
	}))
	server.Domain = o.Hostname
	server.MaxMessageBytes = o.MaxMessageBytes
	server.MaxRecipients = o.MaxRecipients
	server.MaxLineLength = 16 << 10
	server.ReadTimeout = readTimeout
	server.WriteTimeout = writeTimeout
	server.ErrorLog = printfLogger{s.log}
	s.submission = server
	return s
}

// Serve runs until Close.
func (s *Server) Serve() error {
	if err := s.submission.Serve(s.submissionStreams); err != nil {
		return fmt.Errorf("cannot serve SMTP: %w", err)
	}
	return nil
}

// HandleSubmission serves one session of the connection's account and returns when it is over.
func (s *Server) HandleSubmission(c *streams.Conn) error { return s.submissionStreams.Serve(c) }

// Close ends all sessions. Transactions that have not been acknowledged are the sender's to repeat.
func (s *Server) Close() error {
	s.deliveries.close()
	err := s.submission.Close()
	_ = s.submissionStreams.Close() // which the library only closes if it serves already
	return err
}

// Counts returns what the server has done.
func (s *Server) Counts() Counts {
	return Counts{Submitted: s.submitted.Load(), Delivered: s.delivered.Load(), Recipients: s.recipients.Load(), Refused: s.refused.Load()}
}

// Sessions returns the number of open sessions.
func (s *Server) Sessions() int64 { return s.sessions.Load() }

func (s *Server) ownDomain(domain string) bool {
	for _, own := range s.options.Domains {
		if strings.EqualFold(domain, own) {
			return true
		}
	}
	return false
}

func (s *Server) sharedDomain(domain string) bool {
	return s.options.SharedDomain != "" && strings.EqualFold(domain, s.options.SharedDomain)
}

// printfLogger is the library's logger over slog. What the library reports are broken connections and bugs.
type printfLogger struct{ log *slog.Logger }

func (l printfLogger) Printf(format string, args ...any) {
	l.log.Warn("smtp: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l printfLogger) Println(args ...any) {
	l.log.Warn("smtp: " + strings.TrimSpace(fmt.Sprintln(args...)))
}
