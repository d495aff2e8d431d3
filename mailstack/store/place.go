package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/emersion/go-imap/v2"
)

var errNoUID = errors.New("mailbox has no UID left")

// hasRoom tells whether the mailbox has so many UIDs left.
func (m *mailboxState) hasRoom(n int) error {
	if uint64(m.uidNext)+uint64(n) > math.MaxUint32 {
		return errNoUID
	}
	return nil
}

// admit places a new message if the quota has room for it, and tells of it.
func (t *tx) admit(a *accountState, m *mailboxState, e Entry, origin any) (Placed, error) {
	if !a.holds(int64(e.Size)) {
		return Placed{}, ErrOverQuota
	}
	placed, err := t.placeAll(a, m, []Entry{e}, origin)
	if err != nil {
		return Placed{}, err
	}
	return Placed{Mailbox: m.id, UIDValidity: m.uidValidity, UID: placed[0].UID}, nil
}

// placeAll puts messages at the end of a mailbox, charges its account and tells of them. It changes and returns the
// entries. The contents' references are the caller's business.
func (t *tx) placeAll(a *accountState, m *mailboxState, entries []Entry, origin any) ([]Entry, error) {
	for i := range entries {
		entries[i].SaveDate = t.now.UnixMilli()
	}
	return t.placeSaved(a, m, entries, origin)
}

// placeSaved is placeAll of messages that keep the save dates they have.
func (t *tx) placeSaved(a *accountState, m *mailboxState, entries []Entry, origin any) ([]Entry, error) {
	if err := m.hasRoom(len(entries)); err != nil {
		return nil, err
	}
	for i := range entries {
		if err := t.place(a, m, &entries[i]); err != nil {
			return nil, err
		}
	}
	t.tell(m, EventAdded, origin, entries...)
	return entries, nil
}

func (t *tx) place(a *accountState, m *mailboxState, e *Entry) error {
	e.UID, e.ModSeq = imap.UID(m.uidNext), t.nextModSeq(a)
	_, err := t.db.Exec("INSERT INTO messages (mailbox, added, "+entryColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(m.id), e.ModSeq, uint32(e.UID), e.ModSeq, e.Flags.Bits, e.Flags.Keywords, int64(e.Date), e.SaveDate, e.Size, int64(e.Content))
	if err != nil {
		return fmt.Errorf("cannot add a message to mailbox %d: %w", m.id, err)
	}
	m.uidNext++
	m.modseq = e.ModSeq
	m.count(e, 1)
	t.charge(a, 1, int64(e.Size))
	t.touchMailbox(m)
	return nil
}

// count books a message in the mailbox's figures, or takes it off with n = -1.
func (m *mailboxState) count(e *Entry, n int64) {
	m.messages += n
	m.size += n * int64(e.Size)
	m.unseen += n * e.Flags.unseen()
	m.deleted += n * e.Flags.deleted()
}

// take removes messages, in ascending order of UIDs, from a mailbox and leaves their vanished records. The contents'
// references are the caller's business.
func (t *tx) take(a *accountState, m *mailboxState, entries []Entry, modseq uint64) error {
	uids := make([]imap.UID, len(entries))
	for i := range entries {
		uids[i] = entries[i].UID
	}
	for _, r := range ranges(uids) { // of UIDs that all exist
		first, last := uint32(r.Start), uint32(r.Stop)
		added, err := t.db.Exec("INSERT INTO vanished (mailbox, modseq, uid) SELECT mailbox, ?, uid FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?",
			modseq, int64(m.id), first, last)
		if err == nil && added != int64(last-first)+1 {
			err = fmt.Errorf("there are %d; expected %d", added, int64(last-first)+1)
		}
		if err != nil {
			return fmt.Errorf("cannot record that messages %d to %d of mailbox %d vanished: %w", first, last, m.id, err)
		}
		if _, err := t.db.Exec("DELETE FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ?", int64(m.id), first, last); err != nil {
			return fmt.Errorf("cannot remove messages %d to %d of mailbox %d: %w", first, last, m.id, err)
		}
	}
	m.modseq = modseq
	m.vanished += int64(len(entries))
	t.touchMailbox(m)
	for i := range entries {
		m.count(&entries[i], -1)
		t.charge(a, -1, -int64(entries[i].Size))
	}
	return nil
}

// refer adds a reference to a content.
func (t *tx) refer(content ContentID) error {
	if _, err := t.db.Exec("UPDATE contents SET refs = refs + 1 WHERE id = ?", int64(content)); err != nil {
		return fmt.Errorf("cannot refer to content %d: %w", content, err)
	}
	return nil
}

// release takes a reference away, and the content with the last one.
func (t *tx) release(content ContentID) error {
	n, err := t.db.Exec("DELETE FROM contents WHERE id = ? AND refs = 1", int64(content))
	switch {
	case n > 0:
		t.released.Add(1)
	case err == nil:
		_, err = t.db.Exec("UPDATE contents SET refs = refs - 1 WHERE id = ?", int64(content))
	}
	if err != nil {
		return fmt.Errorf("cannot release content %d: %w", content, err)
	}
	return nil
}
