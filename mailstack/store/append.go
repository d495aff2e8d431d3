package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/database"
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
	shared  ContentID // has the same bytes, and is to be shared; 0: none
}

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
		list[i].entry = Entry{Flags: flags, Date: DateOf(m.Date), Size: uint32(len(m.Raw))}
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
//
// A message whose bytes the mailbox's owner has appended before and still has shares them.
func (s *Store) AppendAll(ctx context.Context, id MailboxID, messages []NewMessage, origin any) ([]Placed, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	var placed []Placed
	err := s.append(ctx, messages, func(o *op, list []newMessage) {
		o.decide = func(t *tx) error { return t.promiseAll(o, id, list, 0) }
		o.apply = func(t *tx) (err error) {
			placed, err = t.appendAll(id, list, origin)
			return err
		}
	})
	if err != nil {
		return nil, fmt.Errorf("cannot append: %w", err)
	}
	return placed, nil
}

// append runs an operation that appends messages. When a content that it was to share goes meanwhile, it is run again
// without sharing any.
func (s *Store) append(ctx context.Context, messages []NewMessage, describe func(*op, []newMessage)) error {
	for share := true; ; share = false {
		list, err := prepareMessages(messages, s.now())
		if err != nil {
			return err
		}
		o := appendOp(list)
		o.share = share
		describe(o, list)
		if err := s.submit(ctx, o); !share || !errors.Is(err, errShareLost) {
			return err
		}
	}
}

// appendOp is an operation that appends the bytes of messages.
func appendOp(list []newMessage) *op {
	o := &op{}
	for i := range list {
		o.records = append(o.records, record{Record: list[i].content.record, ref: &list[i].ref})
	}
	return o
}

// promiseAll sets room aside for messages, besides what is about to go, and finds contents that they can share.
func (t *tx) promiseAll(o *op, id MailboxID, list []newMessage, going int64) error {
	_, a, err := t.mailboxAndAccount(id)
	if err != nil {
		return err
	}
	sum := max(0, sizeOf(list)-going)
	if !a.admits(sum) {
		return ErrOverQuota
	}
	t.promise(a, sum)
	for i := range list {
		if !o.share {
			break
		}
		if list[i].shared, err = t.shared(a.id, &list[i].content); err != nil {
			return err
		}
		o.records[i].skip = list[i].shared != 0
	}
	return nil
}

// shared returns a content with the same bytes that the account has appended; 0 if there is none.
func (t *tx) shared(owner AccountID, c *content) (id ContentID, err error) {
	_, err = t.db.Row(func(r *database.Rows) { id = ContentID(r.Int(0)) },
		"SELECT id FROM contents WHERE owner = ? AND hash = ? AND length = ?", int64(owner), c.hash, c.size)
	if err != nil {
		err = fmt.Errorf("cannot look for a content: %w", err)
	}
	return id, err
}

// errShareLost means that the content which was to be shared is gone.
var errShareLost = errors.New("content is gone")

// addShared refers to the content that was found, or adds one.
func (t *tx) addShared(m *newMessage, owner AccountID) (ContentID, error) {
	if m.shared == 0 {
		return t.addContent(&m.content, m.ref, 1, owner)
	}
	n, err := t.db.Exec("UPDATE contents SET refs = refs + 1 WHERE id = ?", int64(m.shared))
	if err == nil && n == 0 {
		err = errShareLost
	}
	return m.shared, err
}

func (t *tx) appendAll(id MailboxID, list []newMessage, origin any) ([]Placed, error) {
	m, a, err := t.mailboxAndAccount(id)
	if err != nil {
		return nil, err
	}
	if !a.holds(sizeOf(list)) {
		return nil, ErrOverQuota
	}
	entries, err := t.addContents(a, list)
	if err != nil {
		return nil, err
	}
	return t.placeNew(a, m, entries, origin)
}

func sizeOf(list []newMessage) (sum int64) {
	for i := range list {
		sum += list[i].content.size
	}
	return sum
}

// addContents adds the contents of messages and returns the entries to place.
func (t *tx) addContents(owner *accountState, list []newMessage) (entries []Entry, err error) {
	entries = make([]Entry, len(list))
	for i := range list {
		entries[i] = list[i].entry
		if entries[i].Content, err = t.addShared(&list[i], owner.id); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (t *tx) placeNew(a *accountState, m *mailboxState, entries []Entry, origin any) ([]Placed, error) {
	entries, err := t.placeAll(a, m, entries, origin)
	if err != nil {
		return nil, err
	}
	placed := make([]Placed, len(entries))
	for i := range entries {
		placed[i] = Placed{Mailbox: m.id, UIDValidity: m.uidValidity, UID: entries[i].UID}
	}
	return placed, nil
}

// Replace adds a message to a mailbox and removes another one, which may lie in another mailbox, both or neither
// (RFC 8508); the room that the old one takes counts as free if it is of the same account. It returns where the new one
// lies and the modseq of the removal. Errors are those of Append, and ErrNoMessage.
func (s *Store) Replace(ctx context.Context, from MailboxID, uid imap.UID, to MailboxID, message NewMessage, origin any) (Placed, uint64, error) {
	var placed []Placed
	var modseq uint64
	err := s.append(ctx, []NewMessage{message}, func(o *op, list []newMessage) {
		o.decide = func(t *tx) error {
			r, err := t.replacement(from, uid, to)
			if err != nil {
				return err
			}
			return t.promiseAll(o, to, list, r.freed())
		}
		o.apply = func(t *tx) error {
			r, err := t.replacement(from, uid, to)
			if err != nil {
				return err
			}
			if !r.b.holds(sizeOf(list) - r.freed()) {
				return ErrOverQuota
			}
			// Added first: the two may share their bytes.
			entries, err := t.addContents(r.b, list)
			if err != nil {
				return err
			}
			gone, err := t.remove(r.a, r.from, []Entry{r.old}, origin)
			if err != nil {
				return err
			}
			modseq = gone[0].ModSeq
			placed, err = t.placeNew(r.b, r.to, entries, origin)
			return err
		}
	})
	if err != nil {
		return Placed{}, 0, fmt.Errorf("cannot replace: %w", err)
	}
	return placed[0], modseq, nil
}

// replacement is a message to replace, and where the new one goes.
type replacement struct {
	old      Entry
	from, to *mailboxState
	a, b     *accountState
}

func (t *tx) replacement(from MailboxID, uid imap.UID, to MailboxID) (r replacement, err error) {
	if r.from, r.a, err = t.mailboxAndAccount(from); err != nil {
		return r, err
	}
	if r.to, r.b, err = t.mailboxAndAccount(to); err != nil {
		return r, err
	}
	old, found, err := t.entry(r.from, uid)
	if err == nil && !found {
		err = ErrNoMessage
	}
	r.old = old
	return r, err
}

// freed is the room in the new message's account that the old one gives back.
func (r *replacement) freed() int64 {
	if r.a != r.b {
		return 0
	}
	return int64(r.old.Size)
}
