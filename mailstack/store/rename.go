package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// RenameMailbox renames a mailbox and those below it, and makes missing ones above the new name. UIDs, UIDVALIDITY,
// special use and rights stay; whoever owns them stays subscribed, to both names. A name that is taken gives
// ErrMailboxExists; one below the mailbox itself ErrMailboxName.
//
// INBOX stays: its messages move to a new mailbox with the name, and the mailboxes below it stay too (RFC 9051, 6.3.6).
// They move in several commits; after an error, some may be in either mailbox. Both have its annotations (RFC 5464, 4.1).
func (s *Store) RenameMailbox(ctx context.Context, id MailboxID, name string, origin any) error {
	name, err := normalName(name)
	if err != nil {
		return fmt.Errorf("cannot rename a mailbox: %w", err)
	}
	var to MailboxID // where the messages of INBOX go
	err = s.mailboxOp(ctx, "rename a mailbox", id, func(t *tx, a *accountState, m *mailboxState) error {
		to = 0
		if m.name != inbox {
			return t.rename(a, m, name, origin)
		}
		if err := t.nameIsFree(a, name); err != nil {
			return err
		}
		made, err := t.makePath(a, name, "", false, origin)
		if err != nil {
			return err
		}
		to = made.id
		return t.copyMetadata(id, to)
	})
	if err != nil || to == 0 {
		return err
	}
	_, entries, err := s.Index(ctx, id)
	if err != nil {
		return err
	}
	uids := make([]imap.UID, len(entries))
	for i := range entries {
		uids[i] = entries[i].UID
	}
	_, _, _, err = s.Move(ctx, id, uids, to, AllRights, origin)
	return err
}

func (t *tx) rename(a *accountState, m *mailboxState, name string, origin any) error {
	if strings.HasPrefix(name, m.name+"/") {
		return fmt.Errorf("%w: lies below the mailbox itself", ErrMailboxName)
	}
	moved, err := t.below(m)
	if err != nil {
		return err
	}
	moved = append([]*mailboxState{m}, moved...)
	names := make([]string, len(moved))
	for i, b := range moved {
		if names[i], err = normalName(name + strings.TrimPrefix(b.name, m.name)); err != nil {
			return err
		}
		if err := t.nameIsFree(a, names[i]); err != nil {
			return err
		}
	}
	if err := t.makeAbove(a, name, false, origin); err != nil {
		return err
	}
	for i, b := range moved {
		if err := t.renameOne(a, b, names[i], origin); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) nameIsFree(a *accountState, name string) error {
	other, err := t.named(a, name)
	if err == nil && other != nil {
		err = ErrMailboxExists
	}
	return err
}

func (t *tx) renameOne(a *accountState, m *mailboxState, name string, origin any) error {
	if _, err := t.db.Exec("UPDATE mailboxes SET name = ? WHERE id = ?", name, int64(m.id)); err != nil {
		return fmt.Errorf("cannot rename mailbox %d: %w", m.id, err)
	}
	old := m.name
	delete(t.names, mailboxName{a.id, old})
	m.name = name
	t.names[mailboxName{a.id, name}] = m
	t.touches++
	t.events = append(t.events, Event{Kind: EventMailboxRenamed, Account: a.id, Mailbox: m.id, Name: name, OldName: old, Origin: origin})
	on, err := t.subscribed(a.id, old)
	if err == nil && on {
		// A server must not remove a name from the list by itself (RFC 9051, 6.3.7).
		err = t.subscribe(a.id, name, true, origin)
	}
	return err
}

// below returns the mailboxes under another one.
func (t *tx) below(m *mailboxState) ([]*mailboxState, error) {
	var ids []MailboxID
	prefix := m.name + "/"
	err := t.db.Each(func(r *database.Rows) error {
		if strings.HasPrefix(r.Text(1), prefix) {
			ids = append(ids, MailboxID(r.Int(0)))
		}
		return nil
	}, "SELECT id, name FROM mailboxes WHERE account = ? AND name > ? AND name < ?", int64(m.account), prefix, m.name+"0")
	if err != nil {
		return nil, fmt.Errorf("cannot list the mailboxes below: %w", err)
	}
	list := make([]*mailboxState, len(ids))
	for i, id := range ids {
		if list[i], err = t.mailbox(id); err != nil {
			return nil, err
		}
	}
	return list, nil
}
