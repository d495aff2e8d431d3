package imap

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// specialUses are the uses that CREATE may give (RFC 6154, 2).
var specialUses = []imap.MailboxAttr{
	imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash,
}

// create is CREATE (RFC 9051, 6.3.4; special use: RFC 6154, 3).
func (s *Session) create(c *call) error {
	args, err := syntax.ParseCreate(s.r)
	if err != nil {
		return err
	}
	var use imap.MailboxAttr
	if len(args.SpecialUse) > 0 {
		i := slices.IndexFunc(specialUses, func(u imap.MailboxAttr) bool {
			return strings.EqualFold(string(u), string(args.SpecialUse[0]))
		})
		if i < 0 || len(args.SpecialUse) > 1 {
			return no(codeUseAttr, "This special use is not supported")
		}
		use = specialUses[i]
	}
	owner, name, err := s.placeFor(args.Mailbox)
	if err != nil {
		return s.fail(c.name, err)
	}
	made, err := s.server.store.CreateMailbox(s.ctx, owner, name, use, s)
	if err != nil {
		return s.fail(c.name, err)
	}
	c.code = "MAILBOXID (" + made.ID.ObjectID() + ")" // RFC 8474, 4.1
	return nil
}

// placeFor finds in which account a new mailbox would lie. In another's account that takes the right to create below an
// existing mailbox (RFC 4314, 4).
func (s *Session) placeFor(name string) (store.AccountID, string, error) {
	owner, rest, foreign := foreignName(strings.TrimSuffix(name, string(delimiter)))
	switch {
	case name == otherUsers:
		return 0, "", errNoRights
	case !foreign:
		return s.account.ID, name, nil
	case strings.EqualFold(owner, s.account.Address):
		return s.account.ID, rest, nil
	}
	for parent := rest; ; {
		i := strings.LastIndexByte(parent, delimiter)
		if i < 0 {
			return 0, "", errNoRights
		}
		parent = parent[:i]
		b, err := s.lookup(foreignPath(owner, parent))
		if errors.Is(err, errNoMailbox) {
			continue
		}
		if err == nil && !b.may(store.RightCreate) {
			err = errNoRights // whether or not the account may know of the mailbox
		}
		return b.Account, rest, err
	}
}

// deleteMailbox is DELETE (RFC 9051, 6.3.5).
func (s *Session) deleteMailbox(c *call) error {
	name, err := syntax.ParseMailbox(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(name)
	if err == nil {
		err = b.need(store.RightDeleteMailbox)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	own := s.selected != nil && s.selected.box.ID == b.ID
	if own && b.Name != inbox {
		s.update(true)
	}
	err = s.server.store.DeleteMailbox(s.ctx, b.ID, s)
	if err == nil && own {
		s.unselect()
		s.w.Raw("* OK [CLOSED] The selected mailbox was removed\r\n")
	}
	return s.fail(c.name, err)
}

// rename is RENAME (RFC 9051, 6.3.6). Mailboxes stay in their account.
func (s *Session) rename(c *call) error {
	args, err := syntax.ParseRename(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(args.From)
	if err == nil {
		err = b.need(store.RightDeleteMailbox)
	}
	if err == nil && !b.own && b.Name == inbox { // which would take its messages away
		err = no(imap.ResponseCodeCannot, "INBOX of another account cannot be renamed")
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	owner, name, err := s.placeFor(args.To)
	if err == nil && owner != b.Account {
		err = no(imap.ResponseCodeCannot, "A mailbox cannot be moved to another account")
	}
	if err == nil {
		err = s.server.store.RenameMailbox(s.ctx, b.ID, name, s)
	}
	return s.fail(c.name, err)
}

// subscribe is SUBSCRIBE and UNSUBSCRIBE (RFC 9051, 6.3.7 and 6.3.8). A subscription is to a name and outlives its mailbox.
func (s *Session) subscribe(c *call) error {
	name, err := syntax.ParseMailbox(s.r)
	if err != nil {
		return err
	}
	on := c.name == "SUBSCRIBE"
	if on {
		b, err := s.lookup(name)
		if err == nil {
			err = b.need(store.RightLookup)
		}
		if err != nil {
			return s.fail(c.name, err)
		}
		name = b.name
	} else if owner, rest, foreign := foreignName(name); foreign {
		name = foreignPath(strings.ToLower(owner), rest)
	}
	return s.fail(c.name, s.server.store.SetSubscription(s.ctx, s.account.ID, name, on, s))
}
