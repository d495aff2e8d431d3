package imap

import (
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// flagRights are the rights to change flags (RFC 4314, 2.1).
const flagRights = store.RightSeen | store.RightWrite | store.RightDeleteMessages

// rightFor is the right to change a flag.
func rightFor(f imap.Flag) store.Rights {
	switch f {
	case imap.FlagSeen:
		return store.RightSeen
	case imap.FlagDeleted:
		return store.RightDeleteMessages
	}
	return store.RightWrite
}

// settable leaves out the flags that the account has no right to set: it is no error to name them (RFC 4314, 4: APPEND).
func (b *box) settable(flags []imap.Flag) []imap.Flag {
	if b.may(flagRights) {
		return flags
	}
	return slices.DeleteFunc(slices.Clone(flags), func(f imap.Flag) bool { return !b.may(rightFor(f)) })
}

// permitted makes of a STORE the change that the account has the rights to; without any right that it takes it is refused
// (RFC 4314, 4: STORE).
func (b *box) permitted(args syntax.Store) (store.FlagChange, error) {
	change := store.FlagChange{Op: args.Op, Flags: b.settable(args.Flags)}
	if args.Op == imap.StoreFlagsSet {
		change.Keep = flagRights &^ b.rights
	}
	if len(change.Flags) == 0 && len(args.Flags) > 0 || change.Keep == flagRights {
		return change, errNoRights
	}
	return change, nil
}

// reviewRights takes over changed rights on the selected mailbox. The session loses a mailbox that the account may not
// read any more, and ends (RFC 4314, 5.1.1).
func (s *Session) reviewRights() {
	sel := s.selected
	if sel == nil || sel.box.own || !sel.view.RightsChanged() {
		return
	}
	rights, err := s.server.store.Rights(s.ctx, sel.box.ID, s.account.ID)
	switch {
	case errors.Is(err, store.ErrNoMailbox):
		s.lose(mailbox.ErrGone)
	case err != nil:
		if s.fail("rights", err) != nil {
			s.bye("[UNAVAILABLE] Rights on the selected mailbox cannot be read")
		}
	case !rights.Has(store.RightRead):
		s.bye("The right to read the selected mailbox was taken away")
	case rights != sel.box.rights:
		sel.box.rights, sel.retell = rights, true
	}
}

// tellRights tells what other rights than before mean to the client (RFC 4314, 5.1.1; RFC 9051, 7.1: READ-ONLY, READ-WRITE).
func (s *Session) tellRights() {
	sel := s.selected
	if sel == nil || !sel.retell {
		return
	}
	sel.retell = false
	if readOnly := sel.examined || !sel.box.writable(); readOnly != sel.readOnly {
		sel.readOnly = readOnly
		s.w.Raw("* OK [" + sel.access() + "] Access to the selected mailbox has changed\r\n")
	}
	keywords := sel.view.Status().Keywords
	s.writeFlags(keywords)
	s.w.Raw("* OK [PERMANENTFLAGS (" + sel.permanent(keywords) + ")] Flags that can be changed\r\n")
}

// mayRead is asked again and again in a long command: its error ends the command, and the session has ended.
func (s *Session) mayRead() error {
	if s.reviewRights(); s.ended {
		return context.Canceled
	}
	return nil
}
