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

// deletedUIDs lists the messages with \Deleted, once all rows show it.
func (s *Store) deletedUIDs(ctx context.Context, id MailboxID) ([]imap.UID, error) {
	var deleted int64
	var postponed bool
	err := s.read(ctx, func(c *database.Conn) error {
		found, err := c.Row(func(r *database.Rows) { deleted, postponed = r.Int(0), r.Bool(1) },
			"SELECT deleted, EXISTS (SELECT 1 FROM postponed p WHERE p.mailbox = s.mailbox) FROM mailbox_state s WHERE mailbox = ?", int64(id))
		if err == nil && !found {
			err = ErrNoMailbox
		}
		return err
	})
	if err == nil && deleted > 0 && postponed {
		err = s.settleMailbox(ctx, id)
	}
	if err != nil || deleted == 0 {
		return nil, err
	}
	var uids []imap.UID
	err = s.read(ctx, func(c *database.Conn) error {
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
