package store

import (
	"fmt"
	"iter"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// nearUIDs is how far apart UIDs may lie that one query reads: passing by a row costs a fraction of another query.
const nearUIDs = 8

// stretches cuts ascending UIDs where the next one is far away.
func stretches(uids []imap.UID) iter.Seq[[]imap.UID] {
	return func(yield func([]imap.UID) bool) {
		for len(uids) > 0 {
			n := 1
			for n < len(uids) && uids[n]-uids[n-1] <= nearUIDs {
				n++
			}
			if !yield(uids[:n]) {
				return
			}
			uids = uids[n:]
		}
	}
}

// stretch reads all messages from the first to the last of ascending UIDs; asked tells those that have one of them from
// those between them. It returns the first error of read.
func (t *tx) stretch(m *mailboxState, uids []imap.UID, read func(e Entry, asked bool) error) error {
	first, last := uids[0], uids[len(uids)-1]
	var refused error
	err := t.rows(m, first, last, func(e Entry) error {
		for uids[0] < e.UID {
			uids = uids[1:]
		}
		overlay(m.postponed, &e)
		refused = read(e, uids[0] == e.UID)
		return refused
	})
	if refused != nil {
		return refused
	}
	return err
}

// rows reads the rows of the messages with UIDs from first to last.
func (t *tx) rows(m *mailboxState, first, last imap.UID, read func(Entry) error) error {
	err := t.db.Each(func(r *database.Rows) error { return read(readEntry(r)) },
		"SELECT "+entryColumns+" FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid", int64(m.id), uint32(first), uint32(last))
	if err != nil {
		return fmt.Errorf("cannot read messages %d to %d of mailbox %d: %w", first, last, m.id, err)
	}
	return nil
}

// entries reads the messages that exist of ascending UIDs.
func (t *tx) entries(m *mailboxState, uids []imap.UID) (entries []Entry, bytes int64, err error) {
	for near := range stretches(uids) {
		err := t.stretch(m, near, func(e Entry, asked bool) error {
			if asked {
				entries = append(entries, e)
				bytes += int64(e.Size)
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return entries, bytes, nil
}
