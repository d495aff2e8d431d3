package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
		keywords := make(interned)
		err = db.Scan("messages", int64(id), func(r *database.Record) error {
			entries = append(entries, scanEntry(r, keywords))
			return nil
		})
		if err != nil {
			return err
		}
		postponed, err := readPostponed(db, id)
		overlayAll(postponed, entries)
		return err
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

// errStop ends a query early.
var errStop = errors.New("stop")

// changes finds those that came after since from the end of the mailbox, where UIDs and the modseqs with which messages
// came ascend together, and the others by the index of those that changed since they came, and by what is postponed.
func changes(db *database.Conn, id MailboxID, since uint64) ([]Entry, error) {
	postponed, err := readPostponed(db, id)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	err = db.Each(func(r *database.Rows) error {
		if uint64(r.Int(entryWidth)) <= since {
			return errStop
		}
		entries = append(entries, readEntry(r))
		return nil
	}, "SELECT "+entryColumns+", added FROM messages WHERE mailbox = ? ORDER BY uid DESC", int64(id))
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	older := func(r *database.Rows) error {
		if uint64(r.Int(entryWidth)) <= since {
			entries = append(entries, readEntry(r))
		}
		return nil
	}
	if err := db.Each(older, selectChanged, int64(id), since); err != nil {
		return nil, err
	}
	later := slices.DeleteFunc(slices.Clone(postponed), func(r run) bool { return r.modseq <= since })
	for _, r := range reach(later) {
		if err := db.Each(older, selectRange, int64(id), uint32(r.Start), uint32(r.Stop)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.UID, b.UID) })
	entries = slices.CompactFunc(entries, func(a, b Entry) bool { return a.UID == b.UID })
	overlayAll(postponed, entries)
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.ModSeq <= since }), nil
}

const (
	selectChanged = "SELECT " + entryColumns + ", added FROM messages WHERE mailbox = ? AND modseq > ? AND modseq <> added"
	selectRange   = "SELECT " + entryColumns + ", added FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?"
)
