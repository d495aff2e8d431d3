package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gouv.tg/messagerie/mailstack/store/database"
)

const (
	anyone        = "anyone"
	maxACL        = 500 // identifiers on one mailbox
	maxIdentifier = 321 // bytes
)

// ErrACL means that rights or their identifier cannot be stored.
var ErrACL = errors.New("rights cannot be stored")

// ACLEntry grants rights on a mailbox to an identifier: the address of an account, or "anyone"; with "-" before it, it
// takes them away (RFC 4314, 2).
type ACLEntry struct {
	Identifier string
	Rights     Rights
}

// ACL returns who has rights on a mailbox besides its owner, who has all, ordered by identifier.
func (s *Store) ACL(ctx context.Context, id MailboxID) ([]ACLEntry, error) {
	var list []ACLEntry
	err := s.snapshot(ctx, func(c *database.Conn) error {
		if _, err := mailboxByID(c, id); err != nil {
			return err
		}
		return c.Each(func(r *database.Rows) error {
			rights, err := ParseRights(r.Text(1))
			list = append(list, ACLEntry{r.Text(0), rights})
			return err
		}, "SELECT identifier, rights FROM acl WHERE mailbox = ? ORDER BY identifier", int64(id))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the rights on mailbox %d: %w", id, err)
	}
	return list, nil
}

// SetACL sets the rights of an identifier on a mailbox; none are the same as DeleteACL. The identifier is taken in any
// case; that an account has such an address is not asked. Errors: ErrNoMailbox, ErrACL.
func (s *Store) SetACL(ctx context.Context, id MailboxID, identifier string, rights Rights, origin any) error {
	return s.ChangeACL(ctx, id, identifier, func(Rights) Rights { return rights }, origin)
}

// ChangeACL is SetACL for rights that depend on those that the identifier has: change is called in the transaction, and
// perhaps more than once.
func (s *Store) ChangeACL(ctx context.Context, id MailboxID, identifier string, change func(Rights) Rights, origin any) error {
	if name := strings.TrimPrefix(identifier, "-"); name == "" || strings.HasPrefix(name, "-") ||
		len(identifier) > maxIdentifier || !utf8.ValidString(identifier) || strings.ContainsFunc(name, isControl) {
		return fmt.Errorf("cannot set rights: %w: identifier %.100q", ErrACL, identifier)
	}
	identifier = strings.ToLower(identifier)
	return s.mailboxOp(ctx, "set rights", id, func(t *tx, a *accountState, m *mailboxState) error {
		var before string
		if _, err := t.db.Row(func(r *database.Rows) { before = r.Text(0) }, "SELECT rights FROM acl WHERE mailbox = ? AND identifier = ?",
			int64(id), identifier); err != nil {
			return err
		}
		old, err := ParseRights(before)
		if err != nil {
			return err
		}
		rights := change(old)
		if rights == old {
			return nil
		}
		if err := t.writeACL(m, identifier, rights); err != nil {
			return err
		}
		return t.tellACL(m, identifier, origin)
	})
}

func (t *tx) writeACL(m *mailboxState, identifier string, rights Rights) error {
	if rights == 0 {
		_, err := t.db.Exec("DELETE FROM acl WHERE mailbox = ? AND identifier = ?", int64(m.id), identifier)
		return err
	}
	var n int64
	if _, err := t.db.Row(func(r *database.Rows) { n = r.Int(0) }, "SELECT COUNT(*) FROM acl WHERE mailbox = ? AND identifier <> ?",
		int64(m.id), identifier); err != nil {
		return err
	}
	if n >= maxACL {
		return fmt.Errorf("%w: %d identifiers have rights already", ErrACL, n)
	}
	_, err := t.db.Exec("INSERT INTO acl (mailbox, identifier, rights) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rights = excluded.rights",
		int64(m.id), identifier, rights.String())
	return err
}

// inheritACL gives a new mailbox the rights that are on the nearest one above it (RFC 4314, 4: CREATE).
func (t *tx) inheritACL(a *accountState, m *mailboxState, origin any) error {
	var above *mailboxState
	for _, name := range slices.Backward(parents(m.name)) {
		var err error
		if above, err = t.named(a, name); err != nil {
			return err
		}
		if above != nil {
			break
		}
	}
	if above == nil {
		return nil
	}
	if _, err := t.db.Exec("INSERT INTO acl (mailbox, identifier, rights) SELECT ?, identifier, rights FROM acl WHERE mailbox = ?",
		int64(m.id), int64(above.id)); err != nil {
		return fmt.Errorf("cannot inherit rights: %w", err)
	}
	var identifiers []string
	if err := t.db.Each(func(r *database.Rows) error { identifiers = append(identifiers, r.Text(0)); return nil },
		"SELECT identifier FROM acl WHERE mailbox = ?", int64(m.id)); err != nil {
		return err
	}
	for _, identifier := range identifiers {
		if err := t.tellACL(m, identifier, origin); err != nil {
			return err
		}
	}
	return nil
}

// DeleteACL takes all rights of an identifier on a mailbox away; it is no error if it has none.
func (s *Store) DeleteACL(ctx context.Context, id MailboxID, identifier string, origin any) error {
	return s.SetACL(ctx, id, identifier, 0, origin)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// tellACL notes the event for the mailbox, its owner and whom it concerns.
func (t *tx) tellACL(m *mailboxState, identifier string, origin any) error {
	e := Event{Kind: EventACL, Account: m.account, Mailbox: m.id, Name: m.name, Origin: origin}
	name := strings.TrimPrefix(identifier, "-")
	if e.all = name == anyone; !e.all {
		_, err := t.db.Row(func(r *database.Rows) { e.also = AccountID(r.Int(0)) }, "SELECT id FROM accounts WHERE address = ?", name)
		if err != nil {
			return err
		}
	}
	t.events = append(t.events, e)
	return nil
}

// Rights returns the rights of an account on a mailbox. Its owner has all; others what is granted to them and to
// anyone, less what is taken away (RFC 4314, 2). Errors: ErrNoMailbox, ErrNoAccount.
func (s *Store) Rights(ctx context.Context, id MailboxID, account AccountID) (Rights, error) {
	var rights Rights
	err := s.snapshot(ctx, func(c *database.Conn) error {
		m, err := mailboxByID(c, id)
		if err != nil {
			return err
		}
		if m.Account == account {
			rights = AllRights
			return nil
		}
		address, err := addressOf(c, account)
		if err != nil {
			return err
		}
		rights, err = effective(c, id, address)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot read the rights on mailbox %d: %w", id, err)
	}
	return rights, nil
}

func addressOf(c *database.Conn, account AccountID) (address string, err error) {
	found, err := c.Row(func(r *database.Rows) { address = r.Text(0) }, "SELECT address FROM accounts WHERE id = ?", int64(account))
	if err == nil && !found {
		err = ErrNoAccount
	}
	return address, err
}

// effective adds up what a mailbox's list says of an address that is not its owner's.
func effective(c *database.Conn, id MailboxID, address string) (Rights, error) {
	var granted, taken Rights
	err := c.Each(func(r *database.Rows) error {
		rights, err := ParseRights(r.Text(1))
		if strings.HasPrefix(r.Text(0), "-") {
			taken |= rights
		} else {
			granted |= rights
		}
		return err
	}, "SELECT identifier, rights FROM acl WHERE mailbox = ? AND identifier IN (?, ?, ?, ?)", int64(id), address, "-"+address, anyone, "-"+anyone)
	return granted &^ taken, err
}

// SharedMailbox is a mailbox of another account.
type SharedMailbox struct {
	Mailbox
	Owner  string // address
	Rights Rights
}

// SharedMailboxes returns the mailboxes of other accounts on which an account has any right, ordered by owner and name.
// Subscribed tells whether their owner is.
func (s *Store) SharedMailboxes(ctx context.Context, account AccountID) ([]SharedMailbox, error) {
	var list []SharedMailbox
	err := s.snapshot(ctx, func(c *database.Conn) error {
		address, err := addressOf(c, account)
		if err != nil {
			return err
		}
		var ids []MailboxID
		err = c.Each(func(r *database.Rows) error { ids = append(ids, MailboxID(r.Int(0))); return nil },
			`SELECT DISTINCT l.mailbox FROM acl l JOIN mailboxes m ON m.id = l.mailbox JOIN accounts o ON o.id = m.account
			 WHERE l.identifier IN (?, ?) AND m.account <> ? ORDER BY o.address, m.name`, address, anyone, int64(account))
		if err != nil {
			return err
		}
		for _, id := range ids {
			rights, err := effective(c, id, address)
			if err != nil {
				return err
			}
			if rights == 0 {
				continue
			}
			m, err := mailboxByID(c, id)
			if err != nil {
				return err
			}
			owner, err := addressOf(c, m.Account)
			if err != nil {
				return err
			}
			list = append(list, SharedMailbox{m, owner, rights})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list shared mailboxes: %w", err)
	}
	return list, nil
}
