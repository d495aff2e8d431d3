package imap

import (
	"context"
	"errors"
	"log/slog"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/store"
)

const delimiter = '/'

// Session is one IMAP session of one account. The library calls its methods one after another; only Idle runs beside
// them, and it is over before the next command starts.
type Session struct {
	server  *Server
	conn    *imapserver.Conn
	wire    *wire
	store   *store.Store
	account store.Account
	log     *slog.Logger
	ctx     context.Context // ends with the session
	cancel  context.CancelFunc

	selected *selected // nil: no mailbox is selected
}

var (
	_ imapserver.SessionIMAP4rev2   = (*Session)(nil)
	_ imapserver.SessionAppendLimit = (*Session)(nil)
)

// Close ends the session. The view is left alone: an Idle that is being interrupted may still use it.
func (s *Session) Close() error {
	s.cancel()
	if s.selected != nil {
		s.selected.watch.Close()
	}
	s.server.forget(s)
	return nil
}

// Login implements imapserver.Session. Sessions start authenticated, so it is never reached by a correct client.
func (s *Session) Login(string, string) error { return imapserver.ErrAuthFailed }

// AppendLimit implements imapserver.SessionAppendLimit (RFC 7889).
func (s *Session) AppendLimit() uint32 { return uint32(s.server.options.MaxMessageBytes) }

// Namespace implements imapserver.SessionNamespace (RFC 2342).
func (s *Session) Namespace() (*imap.NamespaceData, error) {
	s.wire.command = "NAMESPACE"
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: "", Delim: delimiter}}}, nil
}

// Poll implements imapserver.Session: pending changes of the selected mailbox, after each command.
func (s *Session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.selected == nil {
		return nil
	}
	err := s.selected.receive(s.ctx)
	if errors.Is(err, store.ErrNoMailbox) {
		return s.conn.Bye("Selected mailbox was removed") // there is no other way to say so
	}
	if err != nil {
		return s.fail("POLL", err)
	}
	return s.selected.view.announce(w, allowExpunge)
}

// Idle implements imapserver.Session (RFC 2177): changes are pushed as they are committed.
func (s *Session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.server.commands.Inc("IDLE", resultOK) // now: half an hour may pass until it is answered
	if s.selected == nil {
		<-stop
		return nil
	}
	if err := s.Poll(w, true); err != nil {
		return err
	}
	events := s.selected.watch.Events()
	for {
		select {
		case <-stop:
			return nil
		case batch, open := <-events:
			if !open {
				return s.Poll(w, true) // which says so
			}
			s.selected.view.apply(batch)
			if err := s.Poll(w, true); err != nil {
				return err
			}
			s.server.pushed.Add(1)
		}
	}
}

func no(code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// Response codes that are not among the library's constants.
const (
	codeExpungeIssued imap.ResponseCode = "EXPUNGEISSUED" // RFC 5530, 3
	codeUseAttr       imap.ResponseCode = "USEATTR"       // RFC 6154, 6
)

// knownErrors are the errors that a client may see. Their texts reveal nothing internal.
var knownErrors = []struct {
	cause error
	reply *imap.Error
}{
	{store.ErrNoMailbox, no(imap.ResponseCodeNonExistent, "No such mailbox")},
	{store.ErrMailboxExists, no(imap.ResponseCodeAlreadyExists, "Mailbox already exists")},
	{store.ErrMailboxInUse, no(imap.ResponseCodeCannot, "This mailbox cannot be removed or renamed")},
	{store.ErrMailboxName, no(imap.ResponseCodeCannot, "This is not a valid mailbox name")},
	{store.ErrTooManyBoxes, no(imap.ResponseCodeLimit, "Too many mailboxes")},
	{store.ErrSpecialUse, no(codeUseAttr, "Another mailbox has this special use")},
	{store.ErrFlags, no(imap.ResponseCodeCannot, "These flags cannot be stored")},
	{store.ErrNoMessage, no(codeExpungeIssued, "Some of the messages no longer exist")},
	{store.ErrTooLarge, no(imap.ResponseCodeTooBig, "Message is too big")},
	{store.ErrOverQuota, no(imap.ResponseCodeOverQuota, "Quota exceeded")}, // RFC 9208, 4.3
	{store.ErrNoAccount, no(imap.ResponseCodeContactAdmin, "Account no longer exists")},
	{store.ErrTooManyPending, errUnavailable},
	{store.ErrClosed, errUnavailable},
	{store.ErrFailed, errUnavailable},
	{context.Canceled, errUnavailable},
}

var errUnavailable = no(imap.ResponseCodeUnavailable, "Temporarily unavailable, try again later")

// fail turns an error of the store into what the client may see. Faults are logged here and stay internal.
func (s *Session) fail(command string, err error) error {
	var wire *imap.Error
	if err == nil || errors.As(err, &wire) {
		return err
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.cause) {
			return known.reply
		}
	}
	s.log.Error("imap command failed", "command", command, "error", err)
	return no(imap.ResponseCodeServerBug, "Internal error")
}

// tryCreate is fail for commands whose destination mailbox may be missing (RFC 9051, 6.3.12 and 6.4.7).
func (s *Session) tryCreate(command string, err error) error {
	if errors.Is(err, store.ErrNoMailbox) {
		return no(imap.ResponseCodeTryCreate, "No such mailbox")
	}
	return s.fail(command, err)
}
