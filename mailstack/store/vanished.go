package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

const (
	// maxVanished is how many expunged messages of one mailbox are remembered one by one.
	maxVanished = 50_000
	// vanishedSlack is how many more there may be before the oldest are forgotten, many at once.
	vanishedSlack = 1000
)

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
		var uids []imap.UID
		err = db.Each(func(r *database.Rows) error { uids = append(uids, imap.UID(r.Int(0))); return nil },
			"SELECT uid FROM vanished WHERE mailbox = ? AND modseq > ?", int64(id), since)
		slices.Sort(uids)
		set = ranges(uids)
		return err
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

// ranges makes a set of ascending UIDs.
func ranges(uids []imap.UID) imap.UIDSet {
	var set imap.UIDSet
	for _, uid := range uids {
		if n := len(set); n > 0 && set[n-1].Stop+1 == uid {
			set[n-1].Stop = uid
		} else {
			set = append(set, imap.UIDRange{Start: uid, Stop: uid})
		}
	}
	return set
}

// forgetVanished keeps the records of a mailbox bounded: the oldest go, and the floor says up to which modseq.
func (t *tx) forgetVanished(m *mailboxState) error {
	if m.vanished <= maxVanished+vanishedSlack {
		return nil
	}
	var floor uint64
	if _, err := t.db.Row(func(r *database.Rows) { floor = uint64(r.Int(0)) },
		"SELECT modseq FROM vanished WHERE mailbox = ? ORDER BY modseq, uid LIMIT 1 OFFSET ?", int64(m.id), m.vanished-maxVanished-1); err != nil {
		return fmt.Errorf("cannot read what vanished from mailbox %d: %w", m.id, err)
	}
	n, err := t.db.Exec("DELETE FROM vanished WHERE mailbox = ? AND modseq <= ?", int64(m.id), floor)
	if err != nil {
		return fmt.Errorf("cannot forget what vanished from mailbox %d: %w", m.id, err)
	}
	m.vanished -= n
	m.floor = floor
	t.touchMailbox(m)
	return nil
}
