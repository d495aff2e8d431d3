package imap

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

const inbox = "INBOX"

// specialUses are the uses that CREATE may give (RFC 6154, 2).
var specialUses = []imap.MailboxAttr{
	imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash,
}

// Create implements imapserver.Session (RFC 9051, 6.3.4; special use: RFC 6154, 3).
func (s *Session) Create(name string, options *imap.CreateOptions) error {
	s.wire.command = "CREATE"
	var use imap.MailboxAttr
	if len(options.SpecialUse) > 0 {
		i := slices.IndexFunc(specialUses, func(u imap.MailboxAttr) bool {
			return strings.EqualFold(string(u), string(options.SpecialUse[0]))
		})
		if i < 0 || len(options.SpecialUse) > 1 {
			return no(codeUseAttr, "This special use is not supported")
		}
		use = specialUses[i]
	}
	_, err := s.store.CreateMailbox(s.ctx, s.account.ID, name, use, s)
	return s.fail("CREATE", err)
}

// Delete implements imapserver.Session (RFC 9051, 6.3.5).
func (s *Session) Delete(name string) error {
	s.wire.command = "DELETE"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err == nil {
		err = s.store.DeleteMailbox(s.ctx, mailbox.ID, s)
	}
	if errors.Is(err, store.ErrMailboxInUse) && mailbox.Name != inbox {
		return no(imap.ResponseCodeHasChildren, "Mailbox has mailboxes below it")
	}
	return s.fail("DELETE", err)
}

// Rename implements imapserver.Session (RFC 9051, 6.3.6).
func (s *Session) Rename(name, to string, _ *imap.RenameOptions) error {
	s.wire.command = "RENAME"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err == nil {
		err = s.store.RenameMailbox(s.ctx, mailbox.ID, to, s)
	}
	return s.fail("RENAME", err)
}

// Subscribe implements imapserver.Session (RFC 9051, 6.3.7).
func (s *Session) Subscribe(name string) error {
	s.wire.command = "SUBSCRIBE"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err == nil {
		err = s.store.SetSubscribed(s.ctx, mailbox.ID, true)
	}
	return s.fail("SUBSCRIBE", err)
}

// Unsubscribe implements imapserver.Session (RFC 9051, 6.3.8). A mailbox that is gone is not subscribed any more.
func (s *Session) Unsubscribe(name string) error {
	s.wire.command = "UNSUBSCRIBE"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil
	}
	if err == nil {
		err = s.store.SetSubscribed(s.ctx, mailbox.ID, false)
	}
	return s.fail("UNSUBSCRIBE", err)
}
