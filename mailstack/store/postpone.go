package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// A client that sets a flag of a thousand messages waits for a row to be written, not for a thousand: the run is noted in
// the table postponed, and shows in whatever is read from then on. Behind the commits the rows of messages are brought up to it.
const (
	postponeFrom = 16   // messages of a run on an average; where nothing is postponed, fewer are changed at once
	maxPostponed = 64   // runs of one mailbox
	maxPostpones = 4000 // UIDs that they reach over: what has to be changed some day, at once
	settleAfter  = 5 * time.Second
)

// overlay applies runs, in the order of their modseqs, to a message as its row has it.
func overlay(postponed []run, e *Entry) {
	for i := range postponed {
		r := &postponed[i]
		if r.first <= e.UID && e.UID <= r.last && r.from == e.Flags {
			e.Flags, e.ModSeq = r.to, r.modseq
		}
	}
}

// overlayAll applies runs to messages in ascending order of their UIDs.
func overlayAll(postponed []run, entries []Entry) {
	for i := range postponed {
		r := &postponed[i]
		at, _ := slices.BinarySearchFunc(entries, r.first, func(e Entry, uid imap.UID) int { return cmp.Compare(e.UID, uid) })
		for ; at < len(entries) && entries[at].UID <= r.last; at++ {
			if e := &entries[at]; e.Flags == r.from {
				e.Flags, e.ModSeq = r.to, r.modseq
			}
		}
	}
}

// readPostponed reads what is postponed in a mailbox.
func readPostponed(db *database.Conn, id MailboxID) ([]run, error) {
	var list []run
	err := db.Each(func(r *database.Rows) error {
		list = append(list, run{
			modseq: uint64(r.Int(0)), first: imap.UID(r.Int(1)), last: imap.UID(r.Int(2)),
			from: FlagSet{uint32(r.Int(3)), r.Text(4)}, to: FlagSet{uint32(r.Int(5)), r.Text(6)},
		})
		return nil
	}, "SELECT modseq, first, last, from_flags, from_keywords, to_flags, to_keywords FROM postponed WHERE mailbox = ? ORDER BY modseq, n", int64(id))
	if err != nil {
		return nil, fmt.Errorf("cannot read what is postponed in mailbox %d: %w", id, err)
	}
	return list, nil
}

// reach returns the ranges of UIDs that runs reach over, ascending and without overlaps.
func reach(lists ...[]run) (set []imap.UIDRange) {
	for _, list := range lists {
		for i := range list {
			set = append(set, imap.UIDRange{Start: list[i].first, Stop: list[i].last})
		}
	}
	slices.SortFunc(set, func(a, b imap.UIDRange) int { return cmp.Compare(a.Start, b.Start) })
	kept := 0
	for _, r := range set {
		if kept > 0 && r.Start <= set[kept-1].Stop {
			set[kept-1].Stop = max(set[kept-1].Stop, r.Stop)
			continue
		}
		set[kept] = r
		kept++
	}
	return set[:kept]
}

// postponable tells whether runs may be postponed in a mailbox beside those that are.
func (t *tx) postponable(m *mailboxState, list []run) bool {
	if len(m.postponed)+len(list) > maxPostponed {
		return false
	}
	var messages, uids int64
	for i := range list {
		messages += list[i].messages
	}
	for _, r := range reach(m.postponed, list) {
		uids += int64(r.Stop-r.Start) + 1
	}
	return uids <= maxPostpones && (len(m.postponed) > 0 || messages >= int64(len(list))*t.postponeFrom)
}

// reflagAll sets the flags of runs with a modseq, or postpones that.
func (t *tx) reflagAll(m *mailboxState, list []run, modseq uint64) error {
	if !t.postponable(m, list) {
		if err := t.settle(m); err != nil {
			return err
		}
	}
	if t.postponable(m, list) {
		return t.postpone(m, list, modseq)
	}
	for i := range list {
		if err := t.reflag(m, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) postpone(m *mailboxState, list []run, modseq uint64) error {
	for n := range list {
		r := &list[n]
		_, err := t.db.Exec(`INSERT INTO postponed (mailbox, modseq, n, first, last, from_flags, from_keywords, to_flags, to_keywords)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, int64(m.id), modseq, n, uint32(r.first), uint32(r.last),
			r.from.Bits, r.from.Keywords, r.to.Bits, r.to.Keywords)
		if err != nil {
			return fmt.Errorf("cannot postpone flags of mailbox %d: %w", m.id, err)
		}
	}
	m.postponed = append(m.postponed, list...)
	t.postponed = true
	return nil
}

// settle makes the changes that are postponed in a mailbox. Nobody can tell the difference.
func (t *tx) settle(m *mailboxState) error {
	if len(m.postponed) == 0 {
		return nil
	}
	var runs runs
	for _, r := range reach(m.postponed) {
		err := t.rows(m, r.Start, r.Stop, func(e Entry) error {
			before, modseq := e.Flags, e.ModSeq
			if overlay(m.postponed, &e); e.ModSeq != modseq {
				runs.change(e.UID, before, e.Flags, e.ModSeq)
			} else {
				runs.keep(before)
			}
			return nil
		})
		if err != nil {
			return err
		}
		runs.endAll()
	}
	slices.SortFunc(runs.grown, func(a, b run) int { return cmp.Compare(b.modseq, a.modseq) })
	for i := range runs.grown {
		if err := t.reflag(m, &runs.grown[i]); err != nil {
			return err
		}
	}
	if _, err := t.db.Exec("DELETE FROM postponed WHERE mailbox = ?", int64(m.id)); err != nil {
		return fmt.Errorf("cannot settle the flags of mailbox %d: %w", m.id, err)
	}
	m.postponed = nil
	return nil
}

// settleAll settles every mailbox.
func (t *tx) settleAll() error {
	list, err := postponedMailboxes(t.db)
	for _, id := range list {
		if err != nil {
			break
		}
		var m *mailboxState
		if m, err = t.mailbox(id); err == nil {
			err = t.settle(m)
		}
		if errors.Is(err, ErrNoMailbox) {
			err = nil // Check tells of it
		}
	}
	return err
}

func postponedMailboxes(db *database.Conn) (list []MailboxID, err error) {
	err = db.Each(func(r *database.Rows) error { list = append(list, MailboxID(r.Int(0))); return nil }, "SELECT DISTINCT mailbox FROM postponed")
	return list, err
}

// keepSettled settles what was postponed, some time after it was: before that there may be more of it.
func (s *Store) keepSettled(ctx context.Context) {
	for {
		select {
		case <-s.postponed:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(settleAfter):
		case <-ctx.Done():
			return
		}
		if err := s.settle(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("cannot settle flags", "error", err)
		}
	}
}

// settle settles one mailbox after the other, in an operation each.
func (s *Store) settle(ctx context.Context) error {
	var list []MailboxID
	err := s.read(ctx, func(db *database.Conn) (err error) {
		list, err = postponedMailboxes(db)
		return err
	})
	for _, id := range list {
		if err == nil {
			err = s.settleMailbox(ctx, id)
		}
	}
	return err
}

func (s *Store) settleMailbox(ctx context.Context, id MailboxID) error {
	err := s.mailboxOp(ctx, "settle flags", id, func(t *tx, _ *accountState, m *mailboxState) error { return t.settle(m) })
	if errors.Is(err, ErrNoMailbox) {
		return nil
	}
	return err
}
