package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// changeChunk is how many messages one operation changes: the writer must not be busy for long.
const changeChunk = 500

// inChunks runs an operation on a mailbox for every chunk of UIDs.
func (s *Store) inChunks(ctx context.Context, what string, id MailboxID, uids []imap.UID,
	apply func(*tx, *accountState, *mailboxState, []imap.UID) error, done func()) error {
	uids = sorted(uids)
	for chunk := range slices.Chunk(uids, changeChunk) {
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

// SetFlags changes the flags of messages and returns those that exist as they are then, in ascending order
// of UIDs, also the unchanged ones. UIDs that do not exist are passed over. Many messages are changed in
// several commits; after an error, those returned were changed.
func (s *Store) SetFlags(ctx context.Context, id MailboxID, uids []imap.UID, op imap.StoreFlagsOp, flags []imap.Flag, origin any) ([]Message, error) {
	set, err := parseFlags(flags)
	if err != nil {
		return nil, fmt.Errorf("cannot set flags: %w", err)
	}
	var all, some []Message
	err = s.inChunks(ctx, "set flags", id, uids, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
		some, err = t.setFlags(a, m, chunk, op, set, origin)
		return err
	}, func() { all = append(all, some...) })
	return all, err
}

func (t *tx) setFlags(a *accountState, m *mailboxState, uids []imap.UID, op imap.StoreFlagsOp, flags flagSet, origin any) ([]Message, error) {
	var messages, changed []Message
	var modseq uint64
	for _, uid := range uids {
		r, found, err := t.row(m, uid)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		to, err := r.flags.change(op, flags)
		if err != nil {
			return nil, err
		}
		if to != r.flags {
			if modseq == 0 {
				modseq = t.nextModSeq(a)
			}
			if r, err = t.reflag(m, r, to, modseq); err != nil {
				return nil, err
			}
			changed = append(changed, r.message())
		}
		messages = append(messages, r.message())
	}
	if len(changed) > 0 {
		t.tell(m.id, EventFlags, origin, changed...)
	}
	return messages, nil
}

func (t *tx) reflag(m *mailboxState, r row, to flagSet, modseq uint64) (row, error) {
	_, err := t.db.Exec("UPDATE messages SET modseq = ?, flags = ?, keywords = ? WHERE mailbox = ? AND uid = ?",
		modseq, to.bits, to.keywords, int64(m.id), r.uid)
	if err != nil {
		return r, fmt.Errorf("cannot set the flags of message %d in mailbox %d: %w", r.uid, m.id, err)
	}
	m.count(r, -1)
	r.flags, r.modseq = to, modseq
	m.count(r, 1)
	m.modseq = modseq
	t.touchMailbox(m)
	return r, nil
}

// Expunge removes those of the messages that have \Deleted; uids nil means all that have it. It returns
// UID and modseq of what it removed. Many messages are removed in several commits; after an error, those
// returned were removed.
func (s *Store) Expunge(ctx context.Context, id MailboxID, uids []imap.UID, origin any) ([]Message, error) {
	if uids == nil {
		var err error
		if uids, err = s.deletedUIDs(ctx, id); err != nil {
			return nil, fmt.Errorf("cannot expunge: %w", err)
		}
	}
	var all, some []Message
	err := s.inChunks(ctx, "expunge", id, uids, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
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

func (t *tx) expunge(a *accountState, m *mailboxState, uids []imap.UID, origin any) ([]Message, error) {
	var gone []Message
	var modseq uint64
	for _, uid := range uids {
		r, found, err := t.row(m, uid)
		if err != nil {
			return nil, err
		}
		if !found || r.flags.deleted() == 0 {
			continue
		}
		if modseq == 0 {
			modseq = t.nextModSeq(a)
		}
		if err := t.take(a, m, r, modseq); err != nil {
			return nil, err
		}
		if err := t.release(r.content); err != nil {
			return nil, err
		}
		gone = append(gone, Message{UID: uid, ModSeq: modseq})
	}
	if len(gone) > 0 {
		t.tell(m.id, EventExpunged, origin, gone...)
	}
	return gone, nil
}
