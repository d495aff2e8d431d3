package store

import (
	"context"
	"fmt"
	"math"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

const selectMailboxes = `SELECT m.id, m.account, m.name, m.uid_validity, m.special_use,
	EXISTS (SELECT 1 FROM subscriptions b WHERE b.account = m.account AND b.name = m.name), s.uid_next, s.modseq, s.messages, s.unseen, s.deleted, s.size, m.recent
	FROM mailboxes m JOIN mailbox_state s ON s.mailbox = m.id `

func readMailbox(r *database.Rows) Mailbox {
	return Mailbox{
		ID: MailboxID(r.Int(0)), Account: AccountID(r.Int(1)), Name: r.Text(2), UIDValidity: uint32(r.Int(3)),
		SpecialUse: imap.MailboxAttr(r.Text(4)), Subscribed: r.Bool(5),
		UIDNext: imap.UID(r.Int(6)), HighestModSeq: uint64(r.Int(7)),
		Messages: uint32(r.Int(8)), Unseen: uint32(r.Int(9)), Deleted: uint32(r.Int(10)), Size: r.Int(11), Recent: imap.UID(r.Int(12)),
	}
}

// Mailboxes returns the mailboxes of an account ordered by name.
func (s *Store) Mailboxes(ctx context.Context, a AccountID) ([]Mailbox, error) {
	var list []Mailbox
	list, err := s.mailboxes(ctx, "WHERE m.account = ? ORDER BY m.name", int64(a))
	if err == nil && len(list) == 0 {
		if err = s.makeMailboxes(ctx, a); err == nil {
			list, err = s.mailboxes(ctx, "WHERE m.account = ? ORDER BY m.name", int64(a))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list mailboxes: %w", err)
	}
	return list, nil
}

// Mailbox returns the mailbox of an account with a name; ErrNoMailbox if there is none.
func (s *Store) Mailbox(ctx context.Context, a AccountID, name string) (Mailbox, error) {
	name, err := normalName(name)
	if err != nil {
		return Mailbox{}, ErrNoMailbox
	}
	const where = "WHERE m.account = ? AND m.name = ?"
	list, err := s.mailboxes(ctx, where, int64(a), name)
	if err == nil && len(list) == 0 {
		if err = s.makeMailboxes(ctx, a); err == nil {
			list, err = s.mailboxes(ctx, where, int64(a), name)
		}
	}
	if err != nil {
		return Mailbox{}, fmt.Errorf("cannot read a mailbox: %w", err)
	}
	if len(list) == 0 {
		return Mailbox{}, ErrNoMailbox
	}
	return list[0], nil
}

// MailboxByID returns a mailbox; ErrNoMailbox if there is none.
func (s *Store) MailboxByID(ctx context.Context, id MailboxID) (m Mailbox, err error) {
	err = s.read(ctx, func(c *database.Conn) (err error) {
		m, err = mailboxByID(c, id)
		return err
	})
	if err != nil {
		return Mailbox{}, fmt.Errorf("cannot read mailbox %d: %w", id, err)
	}
	return m, nil
}

func mailboxByID(db *database.Conn, id MailboxID) (m Mailbox, err error) {
	found, err := db.Row(func(r *database.Rows) { m = readMailbox(r) }, selectMailboxes+"WHERE m.id = ?", int64(id))
	if err == nil && !found {
		err = ErrNoMailbox
	}
	return m, err
}

func (s *Store) mailboxes(ctx context.Context, where string, args ...any) ([]Mailbox, error) {
	var list []Mailbox
	err := s.read(ctx, func(c *database.Conn) error {
		return c.Each(func(r *database.Rows) error { list = append(list, readMailbox(r)); return nil }, selectMailboxes+where, args...)
	})
	return list, err
}

// makeMailboxes makes the default mailboxes of an account that has none yet.
func (s *Store) makeMailboxes(ctx context.Context, id AccountID) error {
	var made bool
	err := s.read(ctx, func(c *database.Conn) error {
		found, err := c.Row(func(r *database.Rows) { made = r.Int(0) > 0 },
			"SELECT s.mailboxes FROM accounts a LEFT JOIN account_state s ON s.account = a.id WHERE a.id = ?", int64(id))
		if err == nil && !found {
			err = ErrNoAccount
		}
		return err
	})
	if err != nil || made {
		return err
	}
	return s.submit(ctx, &op{apply: func(t *tx) error {
		a, err := t.account(id)
		if err != nil {
			return err
		}
		return t.makeMailboxes(a)
	}})
}

func (t *tx) makeMailboxes(a *accountState) error {
	if a.mailboxes > 0 {
		return nil
	}
	// RFC 7162, 3.1.2.1: HIGHESTMODSEQ is never 0.
	t.nextModSeq(a)
	for _, d := range defaultMailboxes {
		if _, err := t.makeMailbox(a, d.name, d.use, true, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) makeMailbox(a *accountState, name string, use imap.MailboxAttr, subscribe bool, origin any) (*mailboxState, error) {
	if a.mailboxes >= maxMailboxes {
		return nil, fmt.Errorf("%w: %d", ErrTooManyBoxes, a.mailboxes)
	}
	if t.uidValidity == math.MaxUint32 {
		return nil, fmt.Errorf("%w: the store has no UIDVALIDITY left", ErrTooManyBoxes)
	}
	t.uidValidity++
	t.touches++
	id, err := t.db.Insert("INSERT INTO mailboxes (account, name, uid_validity, special_use, recent) VALUES (?, ?, ?, ?, 1)",
		int64(a.id), name, t.uidValidity, string(use))
	if err != nil {
		return nil, fmt.Errorf("cannot make mailbox %q: %w", name, err)
	}
	if _, err := t.db.Exec("INSERT INTO mailbox_state VALUES (?, 1, ?, 0, 0, 0, 0, 0, 0)", id, a.modseq); err != nil {
		return nil, fmt.Errorf("cannot make mailbox %q: %w", name, err)
	}
	a.mailboxes++
	t.touch(a)
	m := t.keep(&mailboxState{
		id: MailboxID(id), account: a.id, name: name, uidValidity: t.uidValidity, uidNext: 1, modseq: a.modseq,
	})
	t.tellMailbox(m, EventMailboxCreated, origin)
	if err := t.inheritACL(a, m, origin); err != nil {
		return nil, err
	}
	if subscribe {
		err = t.subscribe(a.id, name, true, origin)
	}
	return m, err
}

// makePath makes a mailbox and those above it that do not exist.
func (t *tx) makePath(a *accountState, name string, use imap.MailboxAttr, subscribe bool, origin any) (*mailboxState, error) {
	if err := t.makeAbove(a, name, subscribe, origin); err != nil {
		return nil, err
	}
	return t.makeMailbox(a, name, use, subscribe, origin)
}

// makeAbove makes the mailboxes above a name that do not exist.
func (t *tx) makeAbove(a *accountState, name string, subscribe bool, origin any) error {
	for _, parent := range parents(name) {
		m, err := t.named(a, parent)
		if err != nil {
			return err
		}
		if m == nil {
			if _, err := t.makeMailbox(a, parent, "", subscribe, origin); err != nil {
				return err
			}
		}
	}
	return nil
}

// mailboxOp runs an operation on one mailbox.
func (s *Store) mailboxOp(ctx context.Context, what string, id MailboxID, apply func(*tx, *accountState, *mailboxState) error) error {
	err := s.submit(ctx, &op{apply: func(t *tx) error {
		m, err := t.mailbox(id)
		if err != nil {
			return err
		}
		a, err := t.account(m.account)
		if err != nil {
			return err
		}
		return apply(t, a, m)
	}})
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, err)
	}
	return nil
}

// CreateMailbox makes a mailbox and those above it, with the rights that are on the mailbox above each. Several may have
// the same use. Errors: ErrMailboxExists, ErrMailboxName, ErrTooManyBoxes.
func (s *Store) CreateMailbox(ctx context.Context, account AccountID, name string, use imap.MailboxAttr, origin any) (Mailbox, error) {
	name, err := normalName(name)
	if err != nil {
		return Mailbox{}, fmt.Errorf("cannot create a mailbox: %w", err)
	}
	var made Mailbox
	err = s.submit(ctx, &op{apply: func(t *tx) error {
		a, err := t.account(account)
		if err != nil {
			return err
		}
		if err := t.makeMailboxes(a); err != nil {
			return err
		}
		m, err := t.named(a, name)
		if err != nil {
			return err
		}
		if m != nil {
			return ErrMailboxExists
		}
		m, err = t.makePath(a, name, use, false, origin)
		if err != nil {
			return err
		}
		made = Mailbox{
			ID: m.id, Account: account, Name: name, UIDValidity: m.uidValidity, UIDNext: imap.UID(m.uidNext),
			HighestModSeq: m.modseq, SpecialUse: use, Recent: 1,
		}
		made.Subscribed, err = t.subscribed(account, name)
		return err
	}})
	if err != nil {
		return Mailbox{}, fmt.Errorf("cannot create a mailbox: %w", err)
	}
	return made, nil
}

// SetRecent notes that messages below a UID are recent no more; it never goes back.
func (s *Store) SetRecent(ctx context.Context, id MailboxID, uid imap.UID) error {
	return s.mailboxOp(ctx, "set what is recent", id, func(t *tx, _ *accountState, m *mailboxState) error {
		_, err := t.db.Exec("UPDATE mailboxes SET recent = ? WHERE id = ? AND recent < ?", uint32(uid), int64(m.id), uint32(uid))
		return err
	})
}
