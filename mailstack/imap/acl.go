package imap

import (
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// anyone is the identifier that stands for every account (RFC 4314, 2).
const anyone = "anyone"

// anyOf are the rights of which one is enough to ask for one's rights (RFC 4314, 4: MYRIGHTS).
const anyOf = store.RightLookup | store.RightRead | store.RightInsert | store.RightCreate | store.RightDeleteMailbox | store.RightAdminister

// errOwner: the owner's rights are not in the list and cannot be taken away.
var errOwner = no(imap.ResponseCodeCannot, "The owner of a mailbox has all rights")

// rightSet is how rights are told: with the obsolete "c" and "d" where one of the rights is that they stand for
// (RFC 4314, 2.1.1).
func rightSet(rights store.Rights) imap.RightSet {
	text := rights.String()
	if rights&(store.RightCreate|store.RightDeleteMailbox) != 0 {
		text += "c"
	}
	if rights&(store.RightDeleteMessages|store.RightExpunge) != 0 {
		text += "d"
	}
	return imap.RightSet(text)
}

// setACL is SETACL (RFC 4314, 3.1).
func (s *Session) setACL(c *call) error {
	args, err := syntax.ParseSetACL(s.r)
	if err != nil {
		return err
	}
	rights, err := store.ParseRights(string(args.Rights))
	if err != nil { // RFC 4314, 3.1: none is passed over
		return bad("rights: one is not known; accepted: " + string(rightSet(store.AllRights)))
	}
	b, identifier, err := s.administer(args.Mailbox, args.Identifier)
	if err != nil {
		return s.fail(c.name, err)
	}
	if s.isOwner(&b, identifier) {
		if strings.HasPrefix(identifier, "-") || args.Modification == imap.RightModificationRemove ||
			args.Modification == imap.RightModificationReplace && rights != store.AllRights {
			return errOwner
		}
		return nil
	}
	change := func(before store.Rights) store.Rights {
		switch args.Modification {
		case imap.RightModificationAdd:
			return before | rights
		case imap.RightModificationRemove:
			return before &^ rights
		}
		return rights
	}
	return s.fail(c.name, s.server.store.ChangeACL(s.ctx, b.ID, identifier, change, s))
}

// deleteACL is DELETEACL (RFC 4314, 3.2). The identifier may be of an account that is no more.
func (s *Session) deleteACL(c *call) error {
	args, err := syntax.ParseMailboxIdentifier(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(args.Mailbox)
	if err == nil {
		err = b.need(store.RightAdminister)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	identifier := strings.ToLower(args.Identifier)
	if s.isOwner(&b, identifier) {
		return errOwner
	}
	return s.fail(c.name, s.server.store.DeleteACL(s.ctx, b.ID, identifier, s))
}

// getACL is GETACL (RFC 4314, 3.3). The owner comes first.
func (s *Session) getACL(c *call) error {
	name, err := syntax.ParseMailbox(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(name)
	if err == nil {
		err = b.need(store.RightAdminister)
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	list, err := s.server.store.ACL(s.ctx, b.ID)
	if err != nil {
		return s.fail(c.name, err)
	}
	entries := []syntax.ACLEntry{{Identifier: s.owner(&b), Rights: rightSet(store.AllRights)}}
	for _, e := range list {
		entries = append(entries, syntax.ACLEntry{Identifier: e.Identifier, Rights: rightSet(e.Rights)})
	}
	syntax.WriteACL(s.w, b.name, entries)
	return nil
}

// listRights is LISTRIGHTS (RFC 4314, 3.4): every right can be granted by itself, the owner always has all.
func (s *Session) listRights(c *call) error {
	args, err := syntax.ParseMailboxIdentifier(s.r)
	if err != nil {
		return err
	}
	b, identifier, err := s.administer(args.Mailbox, args.Identifier)
	if err != nil {
		return s.fail(c.name, err)
	}
	if s.isOwner(&b, identifier) && !strings.HasPrefix(identifier, "-") {
		syntax.WriteListRights(s.w, b.name, args.Identifier, rightSet(store.AllRights))
		return nil
	}
	var each []imap.RightSet
	for _, right := range rightSet(store.AllRights) {
		each = append(each, imap.RightSet{right})
	}
	syntax.WriteListRights(s.w, b.name, args.Identifier, nil, each...)
	return nil
}

// myRights is MYRIGHTS (RFC 4314, 3.5).
func (s *Session) myRights(c *call) error {
	name, err := syntax.ParseMailbox(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(name)
	if err == nil && b.rights&anyOf == 0 {
		err = errNoMailbox
	}
	if err != nil {
		return s.fail(c.name, err)
	}
	syntax.WriteMyRights(s.w, b.name, rightSet(b.rights))
	return nil
}

// administer looks up a mailbox whose list of rights is to be changed, and an identifier that may be in it: "anyone" or the
// address of an account here, which "-" may precede.
func (s *Session) administer(name, identifier string) (box, string, error) {
	b, err := s.lookup(name)
	if err == nil {
		err = b.need(store.RightAdminister)
	}
	if err != nil {
		return b, "", err
	}
	identifier = strings.ToLower(identifier)
	address := strings.TrimPrefix(identifier, "-")
	if address == "" { // RFC 4314, 3
		return b, "", bad("Identifier is empty")
	}
	if address != anyone {
		_, err = s.server.store.Account(s.ctx, address)
		if errors.Is(err, store.ErrNoAccount) {
			err = no(imap.ResponseCodeNonExistent, "No such account")
		}
	}
	return b, identifier, err
}

// isOwner tells whether an identifier is that of a mailbox's owner, or its negative.
func (s *Session) isOwner(b *box, identifier string) bool {
	return strings.TrimPrefix(identifier, "-") == s.owner(b)
}

// owner is the address of a mailbox's owner.
func (s *Session) owner(b *box) string {
	if b.own {
		return s.account.Address
	}
	address, _, _ := foreignName(b.name)
	return address
}
