package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// How many messages one operation changes: the writer must not be busy for long.
const (
	changeChunk = 500  // of which each takes several statements
	flagChunk   = 2000 // of which many share one
)

// inChunks runs an operation on a mailbox for every chunk of UIDs.
func (s *Store) inChunks(ctx context.Context, what string, id MailboxID, uids []imap.UID, size int,
	apply func(*tx, *accountState, *mailboxState, []imap.UID) error, done func()) error {
	uids = sorted(uids)
	for chunk := range slices.Chunk(uids, size) {
		err := s.mailboxOp(ctx, what, id, func(t *tx, a *accountState, m *mailboxState) error { return apply(t, a, m, chunk) })
		if err != nil {
			return err
		}
		done()
	}
	return nil
}

func sorted(uids []imap.UID) []imap.UID {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	return slices.Compact(uids)
}

// FlagChange is what STORE does to flags.
type FlagChange struct {
	Op    imap.StoreFlagsOp
	Flags []imap.Flag
	// UnchangedSince leaves messages alone whose modseq is greater (RFC 7162, 3.1.3); nil: changes all.
	UnchangedSince *uint64
	// Keep leaves the flags as they are that only these rights allow to change, which the caller does not have.
	Keep Rights
}

// Apply returns what becomes of a message's flags; set are the parsed Flags. Its errors wrap ErrFlags.
func (c *FlagChange) Apply(before, set FlagSet) (FlagSet, error) {
	after, err := before.Change(c.Op, set)
	if err != nil || c.Keep == 0 {
		return after, err
	}
	kept, after := before.Within(c.Keep), after.Within(AllRights&^c.Keep)
	return FlagSet{kept.Bits | after.Bits, kept.Keywords + after.Keywords}, nil // keywords are in one of the two
}

// SetFlags changes the flags of messages and returns those that exist as they are then, in ascending order
// of UIDs, also those that had the flags already; and the UIDs of those that were left alone because of
// change.UnchangedSince. UIDs that do not exist are passed over. Many messages are changed in several
// commits; after an error, those returned were changed.
func (s *Store) SetFlags(ctx context.Context, id MailboxID, uids []imap.UID, change FlagChange, origin any) (entries []Entry, modified []imap.UID, err error) {
	set, err := ParseFlags(change.Flags)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot set flags: %w", err)
	}
	var some []Entry
	var left []imap.UID
	err = s.inChunks(ctx, "set flags", id, uids, flagChunk, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
		some, left, err = t.setFlags(a, m, chunk, change, set, origin)
		return err
	}, func() { entries, modified = append(entries, some...), append(modified, left...) })
	return entries, modified, err
}

// setFlags looks at all messages before it changes the first: a change that cannot be applied to one of them has no effect.
func (t *tx) setFlags(a *accountState, m *mailboxState, uids []imap.UID, change FlagChange, flags FlagSet, origin any) (entries []Entry, modified []imap.UID, err error) {
	var runs runs
	type changed struct {
		at int // in entries
		to FlagSet
	}
	var list []changed
	for near := range stretches(uids) {
		err := t.stretch(m, near, func(e Entry, asked bool) error {
			if !asked {
				runs.keep(e.Flags)
				return nil
			}
			if change.UnchangedSince != nil && e.ModSeq > *change.UnchangedSince {
				runs.keep(e.Flags)
				modified = append(modified, e.UID)
				return nil
			}
			to, err := change.Apply(e.Flags, flags)
			if err != nil {
				return err
			}
			if to != e.Flags {
				runs.change(e.UID, e.Flags, to)
				list = append(list, changed{len(entries), to})
			}
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		runs.endAll()
	}
	if len(list) == 0 {
		return entries, modified, nil
	}
	modseq := t.nextModSeq(a)
	for i := range runs.grown {
		if err := t.reflag(m, &runs.grown[i], modseq); err != nil {
			return nil, nil, err
		}
	}
	told := make([]Entry, len(list))
	for i, c := range list {
		e := &entries[c.at]
		m.count(e, -1)
		e.Flags, e.ModSeq = c.to, modseq
		m.count(e, 1)
		told[i] = *e
	}
	m.modseq = modseq
	t.touchMailbox(m)
	t.tell(m, EventFlags, origin, told...)
	return entries, modified, nil
}

// Expunge removes those of the messages that have \Deleted; uids nil means all that have it. It returns
// what it removed, with the modseq of the removal. Many messages are removed in several commits; after an error, those
// returned were removed.
func (s *Store) Expunge(ctx context.Context, id MailboxID, uids []imap.UID, origin any) ([]Entry, error) {
	if uids == nil {
		var err error
		if uids, err = s.deletedUIDs(ctx, id); err != nil {
			return nil, fmt.Errorf("cannot expunge: %w", err)
		}
	}
	var all, some []Entry
	err := s.inChunks(ctx, "expunge", id, uids, changeChunk, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
		some, err = t.expunge(a, m, chunk, origin)
		return err
	}, func() { all = append(all, some...) })
	return all, err
}

func (s *Store) deletedUIDs(ctx context.Context, id MailboxID) ([]imap.UID, error) {
	var uids []imap.UID
	err := s.read(ctx, func(c *database.Conn) error {
		var deleted int64
		found, err := c.Row(func(r *database.Rows) { deleted = r.Int(0) }, "SELECT deleted FROM mailbox_state WHERE mailbox = ?", int64(id))
		if err == nil && !found {
			err = ErrNoMailbox
		}
		if err != nil || deleted == 0 {
			return err
		}
		return c.Each(func(r *database.Rows) error { uids = append(uids, imap.UID(r.Int(0))); return nil },
			"SELECT uid FROM messages WHERE mailbox = ? AND flags & ? <> 0", int64(id), bitDeleted)
	})
	return uids, err
}

func (t *tx) expunge(a *accountState, m *mailboxState, uids []imap.UID, origin any) ([]Entry, error) {
	entries, _, err := t.entries(m, uids)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.Flags.deleted() == 0 })
	return t.remove(a, m, entries, origin)
}

// remove removes messages for good, or to the vault. It returns them with the modseq of the removal.
func (t *tx) remove(a *accountState, m *mailboxState, entries []Entry, origin any) ([]Entry, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	if err := t.discard(a, m.name, entries, t.now.UnixMilli()); err != nil {
		return nil, err
	}
	return t.takeAll(a, m, entries, origin)
}
