package store

import (
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

// NewMessage is a message to append.
type NewMessage struct {
	Raw   []byte // CRLF line ends
	Flags []imap.Flag
	Date  time.Time // internal date; zero: now
}

// newMessage is a NewMessage with everything computed that needs no transaction.
type newMessage struct {
	content content
	entry   Entry
	ref     segment.Ref
}

func (m *newMessage) size() int64 { return m.content.size }

func prepareMessages(messages []NewMessage, now time.Time) ([]newMessage, error) {
	list := make([]newMessage, len(messages))
	for i, m := range messages {
		if len(m.Raw) > segment.MaxRecord {
			return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(m.Raw))
		}
		flags, err := ParseFlags(m.Flags)
		if err != nil {
			return nil, err
		}
		if m.Date.IsZero() {
			m.Date = now
		}
		list[i].content = newContent(m.Raw, true)
		list[i].entry = Entry{Flags: flags, Date: m.Date.UnixMilli(), Size: uint32(len(m.Raw))}
	}
	return list, nil
}

// Append adds a message to a mailbox (RFC 9051, 6.3.12). Errors: ErrNoMailbox, ErrOverQuota, ErrFlags, ErrTooLarge.
func (s *Store) Append(ctx context.Context, id MailboxID, raw []byte, flags []imap.Flag, date time.Time, origin any) (Placed, error) {
	placed, err := s.AppendAll(ctx, id, []NewMessage{{raw, flags, date}}, origin)
	if err != nil {
		return Placed{}, err
	}
	return placed[0], nil
}

// AppendAll adds messages to a mailbox, all or none (RFC 3502). Errors are those of Append.
func (s *Store) AppendAll(ctx context.Context, id MailboxID, messages []NewMessage, origin any) ([]Placed, error) {
	list, err := prepareMessages(messages, s.now())
	if err != nil {
		return nil, fmt.Errorf("cannot append: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	var placed []Placed
	o := appendOp(list)
	o.decide = func(t *tx) error { return t.promiseAll(id, list, 0) }
	o.apply = func(t *tx) (err error) {
		placed, err = t.appendAll(id, list, origin)
		return err
	}
	if err := s.submit(ctx, o); err != nil {
		return nil, fmt.Errorf("cannot append: %w", err)
	}
	return placed, nil
}

// appendOp is an operation that appends the bytes of messages.
func appendOp(list []newMessage) *op {
	o := &op{}
	for i := range list {
		o.records = append(o.records, record{list[i].content.record, &list[i].ref})
	}
	return o
}

// promiseAll sets room aside for messages, besides what is about to go.
func (t *tx) promiseAll(id MailboxID, list []newMessage, going int64) error {
	_, a, err := t.mailboxAndAccount(id)
	if err != nil {
		return err
	}
	sum := -going
	for i := range list {
		sum += list[i].size()
	}
	if sum = max(0, sum); !a.admits(sum) {
		return ErrOverQuota
	}
	t.promise(a, sum)
	return nil
}

func (t *tx) appendAll(id MailboxID, list []newMessage, origin any) ([]Placed, error) {
	m, a, err := t.mailboxAndAccount(id)
	if err != nil {
		return nil, err
	}
	var sum int64
	for i := range list {
		sum += list[i].size()
	}
	if a.quota > 0 && a.used+sum > a.quota {
		return nil, ErrOverQuota
	}
	entries := make([]Entry, len(list))
	for i := range list {
		entries[i] = list[i].entry
		if entries[i].Content, err = t.addContent(&list[i].content, list[i].ref, 1, a.id); err != nil {
			return nil, err
		}
	}
	if entries, err = t.placeAll(a, m, entries, origin); err != nil {
		return nil, err
	}
	placed := make([]Placed, len(entries))
	for i := range entries {
		placed[i] = Placed{Mailbox: id, UIDValidity: m.uidValidity, UID: entries[i].UID}
	}
	return placed, nil
}

// Replace adds a message to a mailbox and removes another one, which may lie in another mailbox, both or neither
// (RFC 8508); the room that the old one takes counts as free if it is of the same account. It returns where the new one
// lies and the modseq of the removal. Errors are those of Append, and ErrNoMessage.
func (s *Store) Replace(ctx context.Context, from MailboxID, uid imap.UID, to MailboxID, message NewMessage, origin any) (Placed, uint64, error) {
	list, err := prepareMessages([]NewMessage{message}, s.now())
	if err != nil {
		return Placed{}, 0, fmt.Errorf("cannot replace: %w", err)
	}
	var placed []Placed
	var modseq uint64
	o := appendOp(list)
	o.decide = func(t *tx) error {
		old, same, err := t.replaced(from, uid, to)
		if err != nil {
			return err
		}
		if !same {
			return t.promiseAll(to, list, 0)
		}
		return t.promiseAll(to, list, int64(old.Size))
	}
	o.apply = func(t *tx) error {
		m, a, err := t.mailboxAndAccount(from)
		if err != nil {
			return err
		}
		old, _, err := t.replaced(from, uid, to)
		if err != nil {
			return err
		}
		gone, err := t.remove(a, m, []Entry{old}, origin)
		if err != nil {
			return err
		}
		modseq = gone[0].ModSeq
		placed, err = t.appendAll(to, list, origin)
		return err
	}
	if err := s.submit(ctx, o); err != nil {
		return Placed{}, 0, fmt.Errorf("cannot replace: %w", err)
	}
	return placed[0], modseq, nil
}

// replaced reads the message to replace, and tells whether the new one will be of the same account.
func (t *tx) replaced(from MailboxID, uid imap.UID, to MailboxID) (old Entry, same bool, err error) {
	m, a, err := t.mailboxAndAccount(from)
	if err != nil {
		return old, false, err
	}
	_, b, err := t.mailboxAndAccount(to)
	if err != nil {
		return old, false, err
	}
	old, found, err := t.entry(m, uid)
	if err == nil && !found {
		err = ErrNoMessage
	}
	return old, a == b, err
}
