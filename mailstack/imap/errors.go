package imap

import (
	"context"
	"errors"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

func no(code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

func bad(text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeBad, Text: text}
}

// Response codes that are not among the library's constants.
const (
	codeExpungeIssued        imap.ResponseCode = "EXPUNGEISSUED"        // RFC 5530, 3
	codeUseAttr              imap.ResponseCode = "USEATTR"              // RFC 6154, 6
	codeTooMany              imap.ResponseCode = "METADATA TOOMANY"     // RFC 5464, 4.3
	codeNotificationOverflow imap.ResponseCode = "NOTIFICATIONOVERFLOW" // RFC 5465, 5.8
	codeNotSaved             imap.ResponseCode = "NOTSAVED"             // RFC 5182, 2.1
	codeNoUpdate             imap.ResponseCode = "NOUPDATE"             // RFC 5267, 4.3
	codeBadURL               imap.ResponseCode = "BADURL"               // RFC 4469, 4.1
	codeBadCharset           imap.ResponseCode = "BADCHARSET (UTF-8)"   // RFC 9051, 7.1
	codeCompression          imap.ResponseCode = "COMPRESSIONACTIVE"    // RFC 4978, 3
	codeBadComparator        imap.ResponseCode = "BADCOMPARATOR"        // RFC 5255, 4.9
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
	{store.ErrFlags, no(imap.ResponseCodeCannot, "These flags cannot be stored")},
	{store.ErrACL, no(imap.ResponseCodeCannot, "These rights cannot be stored")},
	{store.ErrMetadataTooMany, no(codeTooMany, "Too many annotations")},
	{store.ErrMetadataTooLarge, errAnnotationSize},
	{store.ErrMetadataName, errAnnotationName},
	{store.ErrNoMessage, errExpungeIssued},
	{store.ErrTooLarge, no(imap.ResponseCodeTooBig, "Message is too big")},
	{store.ErrOverQuota, no(imap.ResponseCodeOverQuota, "Quota exceeded")}, // RFC 9208, 4.3
	{store.ErrNoAccount, no(imap.ResponseCodeContactAdmin, "Account no longer exists")},
	{store.ErrTooManyPending, errUnavailable},
	{store.ErrClosed, errUnavailable},
	{store.ErrFailed, errUnavailable},
	{store.ErrDiskFull, errUnavailable},
	{context.Canceled, errUnavailable},
}

var (
	errUnavailable   = no(imap.ResponseCodeUnavailable, "Temporarily unavailable, try again later")
	errNoRights      = no(imap.ResponseCodeNoPerm, "You have no right to do this")
	errExpungeIssued = no(codeExpungeIssued, "Some of the messages no longer exist")                                                 // RFC 5530, 3
	errUIDRequired   = &imap.Error{Type: imap.StatusResponseTypeBad, Code: "UIDREQUIRED", Text: "Message numbers are not available"} // RFC 9586, 3
	errReadOnly      = no(imap.ResponseCodeNoPerm, "Mailbox was opened read-only")
	errNoMailbox     = no(imap.ResponseCodeNonExistent, "No such mailbox")
)

// fail turns an error of the store into what the client may see. Faults are logged here and stay internal; errors of the
// client, and of the connection while a command is being read, never come here.
func (s *Session) fail(command string, err error) error {
	var reply *imap.Error
	if err == nil || errors.As(err, &reply) {
		return err
	}
	if errors.Is(err, mailbox.ErrGone) || errors.Is(err, mailbox.ErrLost) {
		s.lose(err)
		return nil
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.cause) {
			return known.reply
		}
	}
	s.server.log.Error("imap command failed", "account", s.account.Address, "command", command, "error", err)
	return no(imap.ResponseCodeServerBug, "Internal error")
}

// lose ends a session whose selected mailbox cannot be shown any more: there is no other way to say so.
func (s *Session) lose(err error) {
	if errors.Is(err, mailbox.ErrGone) {
		s.bye("Selected mailbox was removed")
		return
	}
	s.server.log.Warn("a client's view of a mailbox was lost", "account", s.account.Address, "error", err)
	s.bye("Selected mailbox has changed too much, please reconnect")
}

// tryCreate is fail for commands whose destination mailbox may be missing (RFC 9051, 6.3.12 and 6.4.7).
func (s *Session) tryCreate(command string, err error) error {
	if errors.Is(err, store.ErrNoMailbox) || errors.Is(err, errNoMailbox) {
		return no(imap.ResponseCodeTryCreate, "No such mailbox")
	}
	return s.fail(command, err)
}
