package smtp

import (
	"context"
	"errors"
	"log/slog"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/store"
)

// Replies (RFC 5321, 4.2; enhanced codes RFC 3463). Their texts reveal nothing internal.
var (
	errUnknownRecipient  = reply(550, 5, 1, 1, "no such address here")
	errDisabledRecipient = reply(550, 5, 2, 1, "this mailbox is disabled")
	errBadSender         = reply(553, 5, 1, 7, "sender address is not valid")
	errBadRecipient      = reply(553, 5, 1, 3, "recipient address is not valid")
	errOverQuota         = reply(452, 4, 2, 2, "mailbox is over its quota")
	errRelayingDenied    = reply(550, 5, 7, 1, "relaying denied")
	errNotOwner          = reply(550, 5, 7, 1, "sender address not owned by the account")
	errNotOwnerHeader    = reply(550, 5, 7, 1, "sender address in the header not owned by the account")
	errBadHeader         = reply(550, 5, 6, 0, "message header is not valid")
	errLoop              = reply(554, 5, 4, 6, "message has passed too many servers: routing loop")
	errTooLarge          = reply(552, 5, 3, 4, "message is too big")
	errAccountGone       = reply(535, 5, 7, 8, "account is no longer enabled")
	errBusy              = reply(451, 4, 3, 2, "system is busy, try again later")
	errInternal          = reply(451, 4, 3, 0, "local error, try again later")
)

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// wireError turns an error of the store into a reply. Faults are logged and stay internal. The result is nil or
// a *smtp.SMTPError, because the library does not unwrap.
func wireError(log *slog.Logger, doing string, err error) error {
	var wire *smtp.SMTPError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wire):
		return wire
	case errors.Is(err, store.ErrNoAccount):
		return errUnknownRecipient
	case errors.Is(err, store.ErrOverQuota):
		return errOverQuota
	case errors.Is(err, store.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, store.ErrTooManyPending), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled):
		return errBusy
	}
	log.Error("cannot "+doing, "error", err)
	return errInternal
}

// countRefusal passes an error on and counts it if it is for good.
func (s *Server) countRefusal(err error) error {
	var wire *smtp.SMTPError
	if errors.As(err, &wire) && wire.Code/100 == 5 {
		s.refused.Add(1)
	}
	return err
}
