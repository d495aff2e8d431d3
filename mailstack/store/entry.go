package store

import (
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// ContentID identifies a message's bytes and what was computed from them, inside one cell, for ever: it is never
// reused. Copies of a message have the same one.
type ContentID int64

// Entry is one message in the index of its mailbox. It is kept small: a mailbox may have hundreds of thousands.
type Entry struct {
	ModSeq   uint64
	Content  ContentID
	Date     Date  // internal date
	SaveDate int64 // when it came into this mailbox (RFC 8514), Unix milliseconds
	Flags    FlagSet
	UID      imap.UID
	Size     uint32 // bytes
}

const entryColumns = "uid, modseq, flags, keywords, date, saved, size, content"

// entryWidth is the number of entryColumns.
const entryWidth = 8

func readEntry(r *database.Rows) Entry {
	return Entry{
		UID: imap.UID(r.Int(0)), ModSeq: uint64(r.Int(1)), Flags: FlagSet{uint32(r.Int(2)), r.Text(3)},
		Date: Date(r.Int(4)), SaveDate: r.Int(5), Size: uint32(r.Int(6)), Content: ContentID(r.Int(7)),
	}
}

// scanEntry reads a row of messages behind its mailbox, the columns in the order in which the table has them.
func scanEntry(r *database.Record, keywords interned) (e Entry) {
	e.UID, e.ModSeq = imap.UID(r.Int()), uint64(r.Int())
	r.Skip() // added
	e.Flags.Bits, e.Flags.Keywords = uint32(r.Int()), keywords.intern(r.Text())
	e.Date, e.SaveDate, e.Size, e.Content = Date(r.Int()), r.Int(), uint32(r.Int()), ContentID(r.Int())
	return e
}

// interned keeps each text once: many messages have the same keywords.
type interned map[string]string

func (t interned) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	s, ok := t[string(b)]
	if !ok {
		s = string(b)
		t[s] = s
	}
	return s
}

// entry reads a message; found is false if there is none with the UID.
func (t *tx) entry(m *mailboxState, uid imap.UID) (e Entry, found bool, err error) {
	found, err = t.db.Row(func(r *database.Rows) { e = readEntry(r) },
		"SELECT "+entryColumns+" FROM messages WHERE mailbox = ? AND uid = ?", int64(m.id), uint32(uid))
	if err != nil {
		err = fmt.Errorf("cannot read message %d of mailbox %d: %w", uid, m.id, err)
	}
	overlay(m.postponed, &e)
	return e, found, err
}
