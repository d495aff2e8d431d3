package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// Messages returns the index of a mailbox in ascending order of UIDs. Messages with the same flags may share
// one slice of them: it must not be changed.
func (s *Store) Messages(ctx context.Context, id MailboxID) ([]Message, error) {
	var list []Message
	err := s.read(ctx, func(c *database.Conn) error {
		var n int64
		found, err := c.Row(func(r *database.Rows) { n = r.Int(0) }, "SELECT messages FROM mailbox_state WHERE mailbox = ?", int64(id))
		if err == nil && !found {
			err = ErrNoMailbox
		}
		if err != nil {
			return err
		}
		list = make([]Message, 0, n)
		shared := make(map[FlagSet][]imap.Flag)
		return c.Each(func(rows *database.Rows) error {
			e := readEntry(rows)
			flags, ok := shared[e.Flags]
			if !ok {
				flags = e.Flags.List()
				shared[e.Flags] = flags
			}
			list = append(list, e.messageWith(flags))
			return nil
		}, "SELECT "+entryColumns+" FROM messages WHERE mailbox = ? ORDER BY uid", int64(id))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read mailbox %d: %w", id, err)
	}
	return list, nil
}

// ReadMessage returns a message's bytes as they were delivered, checked against their checksum;
// ErrNoMessage if there is no such message.
func (s *Store) ReadMessage(ctx context.Context, id MailboxID, uid imap.UID) ([]byte, error) {
	raw, err := s.readContent(ctx, nil, ErrNoMessage,
		"SELECT "+refColumns+" FROM messages m JOIN contents c ON c.id = m.content WHERE m.mailbox = ? AND m.uid = ?", int64(id), uint32(uid))
	if err != nil {
		if !errors.Is(err, ErrNoMessage) {
			s.logger.Error("cannot read a message", "mailbox", int64(id), "uid", uint32(uid), "error", err)
		}
		return nil, fmt.Errorf("cannot read message %d of mailbox %d: %w", uid, id, err)
	}
	return raw, nil
}

// Message is the entry with its flags as a list.
func (e *Entry) Message() Message { return e.messageWith(e.Flags.List()) }

func (e *Entry) messageWith(flags []imap.Flag) Message {
	return Message{UID: e.UID, ModSeq: e.ModSeq, Flags: flags, InternalDate: e.InternalDate(), Size: int64(e.Size)}
}
