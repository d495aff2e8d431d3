package store

import (
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store/segment"
)

// ImportMessage is a message that comes from elsewhere as it is: an archive, or another server.
type ImportMessage struct {
	ID      string // as Delivery.ID: the account gets no second message with it; empty: not checked
	Mailbox string // made if it does not exist
	Raw     []byte // CRLF line ends
	Flags   []imap.Flag
	Date    time.Time // internal date; zero: now
	Saved   time.Time // save date (RFC 8514); zero: now
	// Ordinal is the how-manieth it is, from 1, of the messages with these bytes and this date that the mailbox is to
	// have: if it has so many, the message is there already. 0: not looked for.
	Ordinal int
}

// ImportState says what became of a message.
type ImportState int

// States.
const (
	ImportStored  ImportState = iota
	ImportKnown               // the account had the ID
	ImportPresent             // the mailbox has it already
	ImportRefused
)

// Imported is the outcome for one message; Placed counts if it was stored.
type Imported struct {
	Placed
	State ImportState
	Err   error // why it was refused: ErrMailboxName, ErrFlags, ErrTooLarge or ErrOverQuota
}

// imports is an Import with everything computed that needs no transaction.
type imports struct {
	account  AccountID
	messages []ImportMessage
	names    []string
	given    []Imported // decided before the writer saw it
	decided  []Imported // by decide
	outcome  []Imported
	origin   any
}

// Import stores those messages that an account does not have yet, together; what cannot be stored is refused for itself.
// Outcomes are in the order of messages. It takes accounts that are disabled too. Errors, with which nothing is stored:
// ErrNoAccount, ErrTooManyBoxes.
func (s *Store) Import(ctx context.Context, account AccountID, messages []ImportMessage, origin any) ([]Imported, error) {
	p := &imports{account: account, messages: messages, names: make([]string, len(messages)), given: make([]Imported, len(messages)), origin: origin}
	list := make([]NewMessage, len(messages))
	for i := range messages {
		if p.given[i].Err = p.check(i); p.given[i].Err != nil {
			p.given[i].State = ImportRefused
		}
	}
	err := s.findPresent(ctx, p)
	for i, m := range messages {
		if p.given[i].State == ImportStored {
			list[i] = NewMessage{Raw: m.Raw, Flags: m.Flags, Date: m.Date}
		}
	}
	if err == nil {
		err = s.append(ctx, list, func(o *op, list []newMessage) {
			o.decide = func(t *tx) error { return p.decide(t, o, list) }
			o.apply = func(t *tx) error { return p.apply(t, list) }
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot import: %w", err)
	}
	return p.outcome, nil
}

func (p *imports) check(i int) (err error) {
	m := &p.messages[i]
	if p.names[i], err = normalName(m.Mailbox); err != nil {
		return err
	}
	if len(m.Raw) > segment.MaxRecord {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(m.Raw))
	}
	if len(m.ID) > maxDeliveryID {
		return fmt.Errorf("%w: id of %d bytes, at most %d are accepted", ErrTooLarge, len(m.ID), maxDeliveryID)
	}
	_, err = ParseFlags(m.Flags)
	return err
}

// decide sets room aside for what is to be stored.
func (p *imports) decide(t *tx, o *op, list []newMessage) error {
	a, err := t.account(p.account)
	if err != nil {
		return err
	}
	p.decided = append([]Imported(nil), p.given...)
	before := len(t.promises)
	for i := range list {
		if err := p.decideOne(t, o, a, i, &list[i]); err != nil {
			t.unpromise(before)
			return err
		}
	}
	return nil
}

func (p *imports) decideOne(t *tx, o *op, a *accountState, i int, m *newMessage) error {
	d := &p.decided[i]
	if d.State == ImportStored {
		has, err := t.hasDelivery(a.id, p.messages[i].ID)
		if err != nil {
			return err
		}
		switch {
		case has:
			d.State = ImportKnown
		case !a.admits(m.content.size):
			d.State, d.Err = ImportRefused, ErrOverQuota
		}
	}
	if d.State != ImportStored {
		o.records[i].skip = true
		return nil
	}
	t.promise(a, m.content.size)
	if !o.share {
		return nil
	}
	var err error
	m.shared, err = t.shared(a.id, &m.content)
	o.records[i].skip = m.shared != 0
	return err
}

func (p *imports) apply(t *tx, list []newMessage) error {
	a, err := t.account(p.account)
	if err != nil {
		return err
	}
	p.outcome = append([]Imported(nil), p.decided...)
	for first := 0; first < len(list); {
		end := first + 1
		for end < len(list) && p.names[end] == p.names[first] {
			end++
		}
		if err := p.applyTo(t, a, list, first, end); err != nil {
			return err
		}
		first = end
	}
	return nil
}

// applyTo stores a run of messages for the same mailbox.
func (p *imports) applyTo(t *tx, a *accountState, list []newMessage, first, end int) error {
	var entries []Entry
	var indexes []int
	var bytes int64
	for i := first; i < end; i++ {
		if p.outcome[i].State != ImportStored {
			continue
		}
		size := list[i].content.size
		if !a.holds(bytes + size) {
			p.outcome[i].State, p.outcome[i].Err = ImportRefused, ErrOverQuota
			continue
		}
		if id := p.messages[i].ID; id != "" {
			known, err := t.record(a.id, id)
			if err != nil {
				return fmt.Errorf("cannot record the delivery: %w", err)
			}
			if known {
				p.outcome[i].State = ImportKnown
				continue
			}
		}
		e := list[i].entry
		var err error
		if e.Content, err = t.addShared(&list[i], a.id); err != nil {
			return err
		}
		e.SaveDate = t.now.UnixMilli()
		if saved := p.messages[i].Saved; !saved.IsZero() {
			e.SaveDate = saved.UnixMilli()
		}
		entries, indexes, bytes = append(entries, e), append(indexes, i), bytes+size
	}
	if len(entries) == 0 {
		return nil
	}
	m, err := t.deliverTo(a, p.names[first])
	if err != nil {
		return err
	}
	if entries, err = t.placeSaved(a, m, entries, p.origin); err != nil {
		return err
	}
	for n, i := range indexes {
		p.outcome[i].Placed = Placed{Mailbox: m.id, UIDValidity: m.uidValidity, UID: entries[n].UID}
	}
	return nil
}
