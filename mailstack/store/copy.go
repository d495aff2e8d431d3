package store

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// Copy copies messages to another mailbox of the same account, all or none (RFC 9051, 6.4.7): the copies
// refer to the same bytes and have the same flags and date. It returns the UIDs of those that exist and
// of their copies, in the same order, and the UIDVALIDITY of the target. Errors: ErrNoMailbox (also for a
// mailbox of another account), ErrOverQuota.
func (s *Store) Copy(ctx context.Context, from MailboxID, uids []imap.UID, to MailboxID, origin any) (src, dst []imap.UID, uidValidity uint32, err error) {
	uids = sorted(uids)
	err = s.mailboxOp(ctx, "copy messages", from, func(t *tx, a *accountState, m *mailboxState) (err error) {
		src, dst, uidValidity, err = t.transfer(a, m, to, uids, origin, false)
		return err
	})
	if err != nil {
		return nil, nil, 0, err
	}
	return src, dst, uidValidity, nil
}

// Move moves messages to another mailbox of the same account (RFC 6851). Each message moves as a whole; many
// are moved in several commits, and after an error those returned were moved. Otherwise like Copy.
func (s *Store) Move(ctx context.Context, from MailboxID, uids []imap.UID, to MailboxID, origin any) (src, dst []imap.UID, uidValidity uint32, err error) {
	var someSrc, someDst []imap.UID
	err = s.inChunks(ctx, "move messages", from, uids, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
		someSrc, someDst, uidValidity, err = t.transfer(a, m, to, chunk, origin, true)
		return err
	}, func() { src, dst = append(src, someSrc...), append(dst, someDst...) })
	return src, dst, uidValidity, err
}

func (t *tx) transfer(a *accountState, from *mailboxState, toID MailboxID, uids []imap.UID, origin any, move bool) (src, dst []imap.UID, uidValidity uint32, err error) {
	to, err := t.mailbox(toID)
	if err != nil {
		return nil, nil, 0, err
	}
	if to.account != from.account {
		return nil, nil, 0, fmt.Errorf("%w: mailbox of another account", ErrNoMailbox)
	}
	rows, bytes, err := t.rows(from, uids)
	if err != nil {
		return nil, nil, 0, err
	}
	if !move && len(rows) > 0 && !a.admits(bytes) {
		return nil, nil, 0, ErrOverQuota
	}
	var gone []Message
	for _, r := range rows {
		if move {
			// Whatever the quota says now: the account has the message already.
			modseq := t.nextModSeq(a)
			if err := t.take(a, from, r, modseq); err != nil {
				return nil, nil, 0, err
			}
			gone = append(gone, Message{UID: imap.UID(r.uid), ModSeq: modseq})
		} else if err := t.refer(r.content); err != nil {
			return nil, nil, 0, err
		}
		src = append(src, imap.UID(r.uid))
		placed, err := t.place(a, to, r, origin)
		if err != nil {
			return nil, nil, 0, err
		}
		dst = append(dst, placed.UID)
	}
	if len(gone) > 0 {
		t.tell(from.id, EventExpunged, origin, gone...)
	}
	return src, dst, to.uidValidity, nil
}

// rows reads the messages that exist.
func (t *tx) rows(m *mailboxState, uids []imap.UID) (rows []row, bytes int64, err error) {
	for _, uid := range uids {
		r, found, err := t.row(m, uid)
		if err != nil {
			return nil, 0, err
		}
		if found {
			rows = append(rows, r)
			bytes += r.size
		}
	}
	return rows, bytes, nil
}
