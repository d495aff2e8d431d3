package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

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
		entries, err = changes(db, id, since, math.MaxInt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the changes of mailbox %d: %w", id, err)
	}
	return entries, nil
}

// Bounds of what LateChanges reads.
const (
	maxLate  = 1000 // changes
	lateUIDs = 5000 // from the end of the mailbox
)

// LateChanges returns what Changes does, numbered from 1 for the first message of the mailbox. It does so for a mailbox that
// still has the modseq at, and only as long as that takes little: if there are few changes and all near the end. Otherwise late is false.
func (s *Store) LateChanges(ctx context.Context, id MailboxID, since, at uint64) (list []Known, late bool, err error) {
	err = s.snapshot(ctx, func(db *database.Conn) error {
		m, err := mailboxByID(db, id)
		if err != nil || m.HighestModSeq != at {
			return err
		}
		entries, err := changes(db, id, since, maxLate)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
		if late = len(entries) == 0 || uint64(entries[0].UID)+lateUIDs >= uint64(m.UIDNext); !late || len(entries) == 0 {
			return nil
		}
		var uids []imap.UID
		err = db.Each(func(r *database.Rows) error { uids = append(uids, imap.UID(r.Int(0))); return nil },
			"SELECT uid FROM messages WHERE mailbox = ? AND uid >= ? ORDER BY uid", int64(id), uint32(entries[0].UID))
		before := m.Messages - uint32(len(uids))
		for i, uid := range uids {
			if n := len(list); n < len(entries) && entries[n].UID == uid {
				list = append(list, Known{entries[n], before + uint32(i) + 1})
			}
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the changes of mailbox %d: %w", id, err)
	}
	return list, late, nil
}

// errStop ends a query early.
var errStop = errors.New("stop")

// changes finds those that came after since from the end of the mailbox, where UIDs and the modseqs with which messages
// came ascend together, and the others by the index of those that changed since they came, and by what is postponed.
// The error is errStop if it has read more than most.
func changes(db *database.Conn, id MailboxID, since uint64, most int) ([]Entry, error) {
	postponed, err := readPostponed(db, id)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	err = db.Each(func(r *database.Rows) error {
		if uint64(r.Int(entryWidth)) <= since || len(entries) > most {
			return errStop
		}
		entries = append(entries, readEntry(r))
		return nil
	}, "SELECT "+entryColumns+", added FROM messages WHERE mailbox = ? ORDER BY uid DESC", int64(id))
	if len(entries) > most {
		return nil, errStop
	}
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	older := func(r *database.Rows) error {
		if len(entries) > most {
			return errStop
		}
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
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.ModSeq <= since })
	if len(entries) > most {
		return nil, errStop
	}
	return entries, nil
}

const (
	selectChanged = "SELECT " + entryColumns + ", added FROM messages WHERE mailbox = ? AND modseq > ? AND modseq <> added"
	selectRange   = "SELECT " + entryColumns + ", added FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?"
)
