package store

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
)

// row is a row of messages.
type row struct {
	uid     uint32
	modseq  uint64
	flags   flagSet
	date    int64 // Unix milliseconds
	size    int64
	content int64
}

const rowColumns = "uid, modseq, flags, keywords, date, size, content"

func readRow(r *database.Rows) row {
	return row{
		uid: uint32(r.Int(0)), modseq: uint64(r.Int(1)),
		flags: flagSet{uint32(r.Int(2)), r.Text(3)},
		date:  r.Int(4), size: r.Int(5), content: r.Int(6),
	}
}

func (r row) message() Message { return r.messageWith(r.flags.flags()) }

func (r row) messageWith(flags []imap.Flag) Message {
	return Message{
		UID: imap.UID(r.uid), ModSeq: r.modseq, Flags: flags,
		InternalDate: time.UnixMilli(r.date).UTC(), Size: r.size,
	}
}

var errNoUID = errors.New("mailbox has no UID left")

func (t *tx) mailboxAndAccount(id MailboxID) (*mailboxState, *accountState, error) {
	m, err := t.mailbox(id)
	if err != nil {
		return nil, nil, err
	}
	a, err := t.account(m.account)
	return m, a, err
}

// row reads a message; found is false if there is none with the UID.
func (t *tx) row(m *mailboxState, uid imap.UID) (r row, found bool, err error) {
	found, err = t.db.Row(func(rows *database.Rows) { r = readRow(rows) },
		"SELECT "+rowColumns+" FROM messages WHERE mailbox = ? AND uid = ?", int64(m.id), uint32(uid))
	if err != nil {
		err = fmt.Errorf("cannot read message %d of mailbox %d: %w", uid, m.id, err)
	}
	return r, found, err
}

// admit places a new message if the quota has room for it.
func (t *tx) admit(a *accountState, m *mailboxState, r row, origin any) (Placed, error) {
	if a.quota > 0 && a.used+r.size > a.quota {
		return Placed{}, ErrOverQuota
	}
	return t.place(a, m, r, origin)
}

// place puts a message at the end of a mailbox and charges its account. The content's references are the
// caller's business.
func (t *tx) place(a *accountState, m *mailboxState, r row, origin any) (Placed, error) {
	if m.uidNext == math.MaxUint32 {
		return Placed{}, errNoUID
	}
	r.uid, r.modseq = m.uidNext, t.nextModSeq(a)
	_, err := t.db.Exec("INSERT INTO messages (mailbox, "+rowColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		int64(m.id), r.uid, r.modseq, r.flags.bits, r.flags.keywords, r.date, r.size, r.content)
	if err != nil {
		return Placed{}, fmt.Errorf("cannot add a message to mailbox %d: %w", m.id, err)
	}
	m.uidNext++
	m.modseq = r.modseq
	m.count(r, 1)
	t.charge(a, 1, r.size)
	t.touchMailbox(m)
	t.tell(m.id, EventAdded, origin, r.message())
	return Placed{Mailbox: m.id, UIDValidity: m.uidValidity, UID: imap.UID(r.uid)}, nil
}

// count books a message in the mailbox's figures, or takes it off with n = -1.
func (m *mailboxState) count(r row, n int64) {
	m.messages += n
	m.size += n * r.size
	m.unseen += n * r.flags.unseen()
	m.deleted += n * r.flags.deleted()
}

func (t *tx) tell(mailbox MailboxID, kind EventKind, origin any, messages ...Message) {
	t.events = append(t.events, mailboxEvent{mailbox, Event{Kind: kind, Messages: messages, Origin: origin}})
}

// take removes a message from a mailbox and leaves its vanished record. The content's references are the
// caller's business.
func (t *tx) take(a *accountState, m *mailboxState, r row, modseq uint64) error {
	if _, err := t.db.Exec("DELETE FROM messages WHERE mailbox = ? AND uid = ?", int64(m.id), r.uid); err != nil {
		return fmt.Errorf("cannot remove message %d of mailbox %d: %w", r.uid, m.id, err)
	}
	if _, err := t.db.Exec("INSERT INTO vanished (mailbox, modseq, uid) VALUES (?, ?, ?)", int64(m.id), modseq, r.uid); err != nil {
		return fmt.Errorf("cannot record that message %d of mailbox %d vanished: %w", r.uid, m.id, err)
	}
	m.modseq = modseq
	m.count(r, -1)
	t.touchMailbox(m)
	t.charge(a, -1, -r.size)
	return nil
}

// refer adds a reference to a content.
func (t *tx) refer(content int64) error {
	if _, err := t.db.Exec("UPDATE contents SET refs = refs + 1 WHERE id = ?", content); err != nil {
		return fmt.Errorf("cannot refer to content %d: %w", content, err)
	}
	return nil
}

// release takes a reference away, and the content with the last one.
func (t *tx) release(content int64) error {
	n, err := t.db.Exec("DELETE FROM contents WHERE id = ? AND refs = 1", content)
	if err == nil && n == 0 {
		_, err = t.db.Exec("UPDATE contents SET refs = refs - 1 WHERE id = ?", content)
	}
	if err != nil {
		return fmt.Errorf("cannot release content %d: %w", content, err)
	}
	return nil
}
