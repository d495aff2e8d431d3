package imap

import (
	"strings"

	"gouv.tg/messagerie/mailstack/store"
)

const (
	inbox = "INBOX"

	// otherUsers is the namespace of the mailboxes that others share (RFC 2342, 5): "Other Users/ADDRESS/NAME".
	otherUsers = "Other Users"
)

// box is a mailbox as the session's account sees it.
type box struct {
	store.Mailbox
	name   string // the client's: own mailboxes have the store's, others are below otherUsers
	own    bool
	rights store.Rights // RFC 4314; the owner has all
}

func (b *box) may(rights store.Rights) bool { return b.rights.Has(rights) }

// need refuses what the account has no right to. Who may not even look up a mailbox does not learn that it exists
// (RFC 4314, 6).
func (b *box) need(rights store.Rights) error {
	switch {
	case b.may(rights):
		return nil
	case b.may(store.RightLookup):
		return errNoRights
	}
	return errNoMailbox
}

// writable tells whether the account may change anything in the mailbox (RFC 4314, 5.2).
func (b *box) writable() bool {
	return b.rights&(store.RightSeen|store.RightWrite|store.RightDeleteMessages|store.RightExpunge|store.RightInsert) != 0
}

// lookup finds a mailbox by the client's name for it.
func (s *Session) lookup(name string) (box, error) {
	owner, rest, foreign := foreignName(name)
	if !foreign {
		m, err := s.server.store.Mailbox(s.ctx, s.account.ID, name)
		return box{Mailbox: m, name: m.Name, own: true, rights: store.AllRights}, err
	}
	account, err := s.server.store.Account(s.ctx, owner)
	if err != nil {
		return box{}, errNoMailbox
	}
	m, err := s.server.store.Mailbox(s.ctx, account.ID, rest)
	if err != nil {
		return box{}, errNoMailbox
	}
	if account.ID == s.account.ID {
		return box{Mailbox: m, name: m.Name, own: true, rights: store.AllRights}, nil
	}
	rights, err := s.server.store.Rights(s.ctx, m.ID, s.account.ID)
	if err != nil {
		return box{}, err
	}
	return box{Mailbox: m, name: foreignPath(account.Address, m.Name), rights: rights}, nil
}

// foreignName splits a name below otherUsers.
func foreignName(name string) (owner, rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, otherUsers+string(delimiter))
	if !ok {
		return "", "", false
	}
	owner, rest, _ = strings.Cut(rest, string(delimiter))
	return owner, rest, true
}

func foreignPath(owner, name string) string {
	return otherUsers + string(delimiter) + owner + string(delimiter) + name
}
