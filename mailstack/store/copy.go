package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// Copy copies messages to another mailbox, all or none (RFC 9051, 6.4.7): the copies refer to the same bytes and have
// the same date and those of the flags that rights, the caller's in the target, allow to set (RFC 4314, 4). The mailbox may
// be another account's, whose quota is then charged; whether the caller may write there is the caller's to know. It returns the UIDs of those that exist and of their copies, in the same order,
// and the UIDVALIDITY of the target. Errors: ErrNoMailbox, ErrOverQuota.
func (s *Store) Copy(ctx context.Context, from MailboxID, uids []imap.UID, to MailboxID, rights Rights, origin any) (src, dst []imap.UID, uidValidity uint32, err error) {
	uids = sorted(uids)
	err = s.mailboxOp(ctx, "copy messages", from, func(t *tx, a *accountState, m *mailboxState) (err error) {
		src, dst, uidValidity, err = t.transfer(a, m, to, uids, rights, origin, false)
		return err
	})
	if err != nil {
		return nil, nil, 0, err
	}
	return src, dst, uidValidity, nil
}

// Move moves messages to another mailbox (RFC 6851). Each message moves as a whole; many are moved in several commits,
// and after an error those returned were moved. Within an account no quota
// stands in the way; what moves to another account goes to the vault of the first as well. Otherwise like Copy.
func (s *Store) Move(ctx context.Context, from MailboxID, uids []imap.UID, to MailboxID, rights Rights, origin any) (src, dst []imap.UID, uidValidity uint32, err error) {
	var someSrc, someDst []imap.UID
	err = s.inChunks(ctx, "move messages", from, uids, changeChunk, func(t *tx, a *accountState, m *mailboxState, chunk []imap.UID) (err error) {
		someSrc, someDst, uidValidity, err = t.transfer(a, m, to, chunk, rights, origin, true)
		return err
	}, func() { src, dst = append(src, someSrc...), append(dst, someDst...) })
	return src, dst, uidValidity, err
}

func (t *tx) transfer(a *accountState, from *mailboxState, toID MailboxID, uids []imap.UID, rights Rights, origin any, move bool) (src, dst []imap.UID, uidValidity uint32, err error) {
	to, b, err := t.mailboxAndAccount(toID)
	if err != nil {
		return nil, nil, 0, err
	}
	entries, bytes, err := t.entries(from, uids)
	if err != nil {
		return nil, nil, 0, err
	}
	if len(entries) == 0 {
		return nil, nil, to.uidValidity, nil
	}
	if (!move || a != b) && !b.admits(bytes) {
		return nil, nil, 0, ErrOverQuota
	}
	if err := to.hasRoom(len(entries)); err != nil {
		return nil, nil, 0, err
	}
	if move && a == b {
		_, err = t.takeAll(a, from, entries, origin)
	} else {
		err = t.referAll(entries)
	}
	if err == nil && move && a != b {
		_, err = t.remove(a, from, entries, origin) // the account loses it
	}
	if err != nil {
		return nil, nil, 0, err
	}
	src = make([]imap.UID, len(entries))
	for i := range entries {
		src[i] = entries[i].UID
		entries[i].Flags = entries[i].Flags.Within(rights)
	}
	copies, err := t.placeAll(b, to, entries, origin)
	if err != nil {
		return nil, nil, 0, err
	}
	dst = make([]imap.UID, len(copies))
	for i := range copies {
		dst[i] = copies[i].UID
	}
	return src, dst, to.uidValidity, nil
}

// takeAll takes messages out of a mailbox and tells of it. It returns them with the modseq of that.
func (t *tx) takeAll(a *accountState, m *mailboxState, entries []Entry, origin any) ([]Entry, error) {
	modseq := t.nextModSeq(a)
	if err := t.take(a, m, entries, modseq); err != nil {
		return nil, err
	}
	gone := slices.Clone(entries)
	for i := range gone {
		gone[i].ModSeq = modseq
	}
	t.tell(m, EventExpunged, origin, gone...)
	return gone, t.forgetVanished(m)
}

func (t *tx) referAll(entries []Entry) error {
	for i := range entries {
		if err := t.refer(entries[i].Content); err != nil {
			return fmt.Errorf("cannot copy message %d: %w", entries[i].UID, err)
		}
	}
	return nil
}
