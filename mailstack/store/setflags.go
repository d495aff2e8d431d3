package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

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
// commits; after an error, those returned were changed. Subscribers share the entries: they may not be changed.
func (s *Store) SetFlags(ctx context.Context, id MailboxID, uids []imap.UID, change FlagChange, origin any) (entries []Entry, modified []imap.UID, err error) {
	set, err := ParseFlags(change.Flags)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot set flags: %w", err)
	}
	var f flagging
	err = s.inChunks(ctx, "set flags", id, uids, flagChunk, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) error {
		f = flagging{change: change, set: set}
		if err := f.read(t, m, chunk); err != nil {
			return err
		}
		return f.apply(t, a, m, origin)
	}, func() { entries, modified = join(entries, f.entries), join(modified, f.modified) })
	return entries, modified, err
}

// Known is a message as somebody knows it who has read the index. No other lies between two whose numbers follow each other.
type Known struct {
	Entry
	Seq uint32
}

// SetFlagsOfKnown is SetFlags for messages, in ascending order of UIDs, as they were when the mailbox had the modseq asOf: if
// it still has that they are not read again.
func (s *Store) SetFlagsOfKnown(ctx context.Context, id MailboxID, known []Known, asOf uint64, change FlagChange, origin any) (entries []Entry, modified []imap.UID, err error) {
	set, err := ParseFlags(change.Flags)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot set flags: %w", err)
	}
	for chunk := range slices.Chunk(known, flagChunk) {
		var f flagging
		var next uint64
		err := s.mailboxOp(ctx, "set flags", id, func(t *tx, a *accountState, m *mailboxState) (err error) {
			f = flagging{change: change, set: set}
			upToDate := m.modseq == asOf
			if upToDate {
				err = f.recall(chunk)
			} else {
				err = f.read(t, m, uidsOf(chunk))
			}
			if err == nil {
				err = f.apply(t, a, m, origin)
			}
			if next = m.modseq; !upToDate {
				next = 0
			}
			return err
		})
		if err != nil {
			return entries, modified, err
		}
		asOf = next
		entries, modified = join(entries, f.entries), join(modified, f.modified)
	}
	return entries, modified, nil
}

func uidsOf(known []Known) []imap.UID {
	uids := make([]imap.UID, len(known))
	for i := range known {
		uids[i] = known[i].UID
	}
	return uids
}

// join appends what may be large to what is most often nothing.
func join[T any](list, more []T) []T {
	if list == nil {
		return slices.Clip(more)
	}
	return append(list, more...)
}

// flagging is one change of flags under way: it looks at all messages before it changes the first, so that a change that
// cannot be applied to one of them has no effect.
type flagging struct {
	change   FlagChange
	set      FlagSet // the change's flags
	entries  []Entry // with their new flags
	modified []imap.UID
	changed  []int32 // which of the entries have other flags than before
	unseen   int64   // more messages than before
	deleted  int64
	runs     runs

	looked   bool // at a message that had the flags from; to is what becomes of them
	from, to FlagSet
}

// read looks at messages as the database has them.
func (f *flagging) read(t *tx, m *mailboxState, uids []imap.UID) error {
	for near := range stretches(uids) {
		err := t.stretch(m, near, func(e Entry, asked bool) error {
			if !asked {
				f.runs.keep(e.Flags)
				return nil
			}
			return f.look(&e)
		})
		if err != nil {
			return err
		}
		f.runs.endAll()
	}
	return nil
}

// recall looks at messages as they are known.
func (f *flagging) recall(known []Known) error {
	f.entries, f.changed = make([]Entry, 0, len(known)), make([]int32, 0, len(known))
	for i := range known {
		if i > 0 && known[i].Seq != known[i-1].Seq+1 {
			f.runs.endAll()
		}
		if err := f.look(&known[i].Entry); err != nil {
			return err
		}
	}
	f.runs.endAll()
	return nil
}

func (f *flagging) look(e *Entry) error {
	if f.change.UnchangedSince != nil && e.ModSeq > *f.change.UnchangedSince {
		f.runs.keep(e.Flags)
		f.modified = append(f.modified, e.UID)
		return nil
	}
	if !f.looked || f.from != e.Flags {
		to, err := f.change.Apply(e.Flags, f.set)
		if err != nil {
			return err
		}
		f.looked, f.from, f.to = true, e.Flags, to
	}
	if f.to != f.from {
		f.runs.change(e.UID, f.from, f.to, 0)
		f.changed = append(f.changed, int32(len(f.entries)))
		f.unseen += f.to.unseen() - f.from.unseen()
		f.deleted += f.to.deleted() - f.from.deleted()
	} else {
		f.runs.keep(e.Flags)
	}
	f.entries = append(f.entries, *e)
	f.entries[len(f.entries)-1].Flags = f.to
	return nil
}

// apply makes the change. All messages have the same modseq afterwards (RFC 7162, 3.1).
func (f *flagging) apply(t *tx, a *accountState, m *mailboxState, origin any) error {
	if len(f.changed) == 0 {
		return nil
	}
	modseq := t.nextModSeq(a)
	for i := range f.runs.grown {
		f.runs.grown[i].modseq = modseq
	}
	if err := t.reflagAll(m, f.runs.grown, modseq); err != nil {
		return err
	}
	for _, i := range f.changed {
		f.entries[i].ModSeq = modseq
	}
	told := f.entries
	if len(f.changed) < len(told) {
		told = make([]Entry, len(f.changed))
		for i, at := range f.changed {
			told[i] = f.entries[at]
		}
	}
	m.modseq = modseq
	m.unseen += f.unseen
	m.deleted += f.deleted
	t.touchMailbox(m)
	t.tell(m, EventFlags, origin, told...)
	return nil
}
