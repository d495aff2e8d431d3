package store

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// Index returns the state of a mailbox and its messages at the same moment, in ascending order of UIDs.
func (s *Store) Index(ctx context.Context, id MailboxID) (Mailbox, []Entry, error) {
	var m Mailbox
	var entries []Entry
	err := s.snapshot(ctx, func(db *database.Conn) (err error) {
		if m, err = mailboxByID(db, id); err != nil {
			return err
		}
		entries = make([]Entry, 0, m.Messages)
		return db.Each(func(r *database.Rows) error { entries = append(entries, readEntry(r)); return nil },
			"SELECT "+entryColumns+" FROM messages WHERE mailbox = ? ORDER BY uid", int64(id))
	})
	if err != nil {
		return Mailbox{}, nil, fmt.Errorf("cannot read mailbox %d: %w", id, err)
	}
	return m, entries, nil
}

// Changes returns the messages of a mailbox whose modseq is greater than since, in ascending order of UIDs: those that
// came, and those whose flags changed (RFC 7162, 3.1.4.1).
func (s *Store) Changes(ctx context.Context, id MailboxID, since uint64) ([]Entry, error) {
	var entries []Entry
	err := s.snapshot(ctx, func(db *database.Conn) (err error) {
		if _, err = mailboxByID(db, id); err != nil {
			return err
		}
		entries, err = changes(db, id, since)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the changes of mailbox %d: %w", id, err)
	}
	return entries, nil
}

func changes(db *database.Conn, id MailboxID, since uint64) ([]Entry, error) {
	var entries []Entry
	err := db.Each(func(r *database.Rows) error { entries = append(entries, readEntry(r)); return nil },
		"SELECT "+entryColumns+" FROM messages WHERE mailbox = ? AND modseq > ? ORDER BY uid", int64(id), since)
	return entries, err
}

// Vanished returns the UIDs that were expunged from a mailbox with a modseq greater than since (RFC 7162, 3.2.10). Only
// the latest are remembered one by one: for an older since, all UIDs that were given and do not exist are returned,
// which may be more than vanished since (RFC 7162, 3.2.5.1 allows that).
func (s *Store) Vanished(ctx context.Context, id MailboxID, since uint64) (imap.UIDSet, error) {
	var set imap.UIDSet
	err := s.snapshot(ctx, func(db *database.Conn) error {
		var floor uint64
		var next imap.UID
		found, err := db.Row(func(r *database.Rows) { floor, next = uint64(r.Int(0)), imap.UID(r.Int(1)) },
			"SELECT floor, uid_next FROM mailbox_state WHERE mailbox = ?", int64(id))
		if err == nil && !found {
			err = ErrNoMailbox
		}
		if err != nil {
			return err
		}
		if since < floor {
			set, err = absent(db, id, next)
			return err
		}
		return db.Each(func(r *database.Rows) error { set.AddNum(imap.UID(r.Int(0))); return nil },
			"SELECT uid FROM vanished WHERE mailbox = ? AND modseq > ? ORDER BY uid", int64(id), since)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what vanished from mailbox %d: %w", id, err)
	}
	return set, nil
}

// absent returns the UIDs below next that do not exist.
func absent(db *database.Conn, id MailboxID, next imap.UID) (imap.UIDSet, error) {
	var set imap.UIDSet
	from := imap.UID(1)
	err := db.Each(func(r *database.Rows) error {
		uid := imap.UID(r.Int(0))
		if uid > from {
			set = append(set, imap.UIDRange{Start: from, Stop: uid - 1})
		}
		from = uid + 1
		return nil
	}, "SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid", int64(id))
	if from < next {
		set = append(set, imap.UIDRange{Start: from, Stop: next - 1})
	}
	return set, err
}
