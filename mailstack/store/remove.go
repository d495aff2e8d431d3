package store

import (
	"context"
	"fmt"

	"gouv.tg/messagerie/mailstack/store/database"
)

// DeleteMailbox removes a mailbox with its messages, rights and annotations; those below it stay. INBOX gives
// ErrMailboxInUse. The messages count no more at once and are swept up in steps afterwards.
func (s *Store) DeleteMailbox(ctx context.Context, id MailboxID, origin any) error {
	return s.mailboxOp(ctx, "delete a mailbox", id, func(t *tx, a *accountState, m *mailboxState) error {
		if m.name == inbox {
			return ErrMailboxInUse
		}
		if err := t.settle(m); err != nil {
			return err
		}
		if _, err := t.db.Exec("INSERT INTO doomed (mailbox, account, name, removed) VALUES (?, ?, ?, ?)",
			int64(id), int64(a.id), m.name, t.now.UnixMilli()); err != nil {
			return err
		}
		for _, sql := range []string{
			"DELETE FROM mailbox_state WHERE mailbox = ?",
			"DELETE FROM mailboxes WHERE id = ?",
			"DELETE FROM acl WHERE mailbox = ?",
			"DELETE FROM metadata WHERE mailbox = ?",
		} {
			if _, err := t.db.Exec(sql, int64(id)); err != nil {
				return err
			}
		}
		delete(t.mailboxes, id)
		delete(t.names, mailboxName{a.id, m.name})
		a.mailboxes--
		t.swept = true
		t.charge(a, -m.messages, -m.size)
		t.tellMailbox(m, EventMailboxDeleted, origin)
		return nil
	})
}

// sweepUp removes the messages of removed mailboxes.
func (s *Store) sweepUp(ctx context.Context) error {
	needed, err := s.has(ctx, "SELECT 1 FROM doomed")
	if err == nil && needed {
		err = s.step(ctx, (*tx).sweep)
	}
	if err != nil {
		return fmt.Errorf("cannot sweep up removed mailboxes: %w", err)
	}
	return nil
}

// doomed is a removed mailbox.
type doomed struct {
	mailbox int64
	account AccountID
	name    string
	removed int64 // Unix milliseconds
}

func (t *tx) sweep() (more bool, err error) {
	var d doomed
	found, err := t.db.Row(func(r *database.Rows) { d = doomed{r.Int(0), AccountID(r.Int(1)), r.Text(2), r.Int(3)} },
		"SELECT mailbox, account, name, removed FROM doomed LIMIT 1")
	if err != nil || !found {
		return false, err
	}
	var entries []Entry
	err = t.db.Each(func(r *database.Rows) error { entries = append(entries, readEntry(r)); return nil },
		"SELECT "+entryColumns+" FROM messages WHERE mailbox = ? ORDER BY uid LIMIT ?", d.mailbox, keepChunk)
	if err != nil {
		return false, err
	}
	a, err := t.account(d.account)
	if err != nil {
		return false, err
	}
	if err := t.discard(a, d.name, entries, d.removed); err != nil {
		return false, err
	}
	if n := len(entries); n > 0 {
		if _, err := t.db.Exec("DELETE FROM messages WHERE mailbox = ? AND uid <= ?", d.mailbox, uint32(entries[n-1].UID)); err != nil {
			return false, err
		}
		if n == keepChunk {
			return true, nil
		}
	}
	n, err := t.db.Exec("DELETE FROM vanished WHERE mailbox = ? AND (modseq, uid) IN (SELECT modseq, uid FROM vanished WHERE mailbox = ? LIMIT ?)",
		d.mailbox, d.mailbox, keepChunk)
	if err != nil || n == keepChunk {
		return true, err
	}
	_, err = t.db.Exec("DELETE FROM doomed WHERE mailbox = ?", d.mailbox)
	return true, err
}
