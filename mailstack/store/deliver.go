package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
	"gouv.tg/messagerie/mailstack/store/segment"
)

const (
	maxDeliveryID = 255 // bytes
	maxAddress    = 1000
)

// delivery is a Delivery with everything computed that needs no transaction.
type delivery struct {
	Delivery
	content content
	ref     segment.Ref
	names   []string // of Local's mailboxes
	flags   []FlagSet
	tokens  []string // of Queue
	placed  []Placed
}

// Deliver stores a message for all its recipients, or for none. It returns when everything is on disk.
// Errors about a recipient: ErrNoAccount (also for a disabled account), ErrOverQuota, ErrMailboxName,
// ErrFlags. A recipient's mailbox that does not exist is made. Recipients whose account already has the
// delivery's ID get nothing and have only Duplicate set in their Placed; if that is so for all of them, the
// queue gets nothing either, for it got it with them.
func (s *Store) Deliver(ctx context.Context, d Delivery) ([]Placed, error) {
	p, err := prepare(d, s.now())
	if err != nil {
		return nil, fmt.Errorf("cannot deliver: %w", err)
	}
	if len(p.Local)+len(p.Queue) == 0 {
		return nil, nil
	}
	o := &op{records: []record{{Record: p.content.record, ref: &p.ref}}, decide: p.decide, apply: p.apply}
	if err := s.submit(ctx, o); err != nil {
		return nil, fmt.Errorf("cannot deliver: %w", err)
	}
	return p.placed, nil
}

func prepare(d Delivery, now time.Time) (*delivery, error) {
	if len(d.ID) > maxDeliveryID {
		return nil, fmt.Errorf("id of %d bytes, at most %d are accepted", len(d.ID), maxDeliveryID)
	}
	if len(d.Raw) > segment.MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(d.Raw))
	}
	if d.InternalDate.IsZero() {
		d.InternalDate = now
	}
	p := &delivery{Delivery: d, content: newContent(d.Raw, len(d.Local) > 0)}
	for _, r := range d.Local {
		name := inbox
		if r.Mailbox != "" {
			var err error
			if name, err = normalName(r.Mailbox); err != nil {
				return nil, err
			}
		}
		flags, err := ParseFlags(r.Flags)
		if err != nil {
			return nil, err
		}
		p.names, p.flags = append(p.names, name), append(p.flags, flags)
	}
	for _, q := range d.Queue {
		if len(q.Address) > maxAddress || len(d.Sender) > maxAddress {
			return nil, fmt.Errorf("address of more than %d bytes", maxAddress)
		}
		p.tokens = append(p.tokens, newToken())
	}
	return p, nil
}

func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (p *delivery) size() int64 { return p.content.size }

// decide sets aside room for the message in all accounts.
func (p *delivery) decide(t *tx) (err error) {
	before := len(t.promises)
	defer func() {
		if err != nil {
			t.unpromise(before)
		}
	}()
	for _, r := range p.Local {
		a, err := t.account(r.Account)
		if err != nil {
			return err
		}
		if a.disabled {
			return fmt.Errorf("%w: account %d is disabled", ErrNoAccount, r.Account)
		}
		if !a.admits(p.size()) {
			// What an account has already needs no room.
			has, err := t.hasDelivery(r.Account, p.ID)
			if err != nil {
				return err
			}
			if !has {
				return ErrOverQuota
			}
		}
		t.promise(a, p.size())
	}
	return nil
}

func (t *tx) hasDelivery(a AccountID, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	return t.db.Row(func(*database.Rows) {}, "SELECT 1 FROM delivered WHERE account = ? AND delivery = ?", int64(a), id)
}

// record notes a delivery's ID. It returns true if the account had it before.
func (t *tx) record(a AccountID, id string) (bool, error) {
	n, err := t.db.Exec("INSERT OR IGNORE INTO delivered (account, delivery, time) VALUES (?, ?, ?)", int64(a), id, t.now.UnixMilli())
	return n == 0, err
}

func (p *delivery) apply(t *tx) error {
	p.placed = make([]Placed, len(p.Local))
	live, err := p.recordAll(t)
	if err != nil {
		return fmt.Errorf("cannot record the delivery: %w", err)
	}
	queue := p.Queue
	if len(p.Local) > 0 && live == 0 {
		queue = nil
	}
	if live+len(queue) == 0 {
		return nil
	}
	id, err := t.addContent(&p.content, p.ref, live+len(queue), 0)
	if err != nil {
		return err
	}
	for i, r := range p.Local {
		if p.placed[i].Duplicate {
			continue
		}
		a, err := t.account(r.Account)
		if err != nil {
			return err
		}
		m, err := t.deliverTo(a, p.names[i])
		if err != nil {
			return err
		}
		e := Entry{Content: id, Size: uint32(p.size()), Flags: p.flags[i], Date: DateOf(p.InternalDate)}
		if p.placed[i], err = t.admit(a, m, e, nil); err != nil {
			return err
		}
	}
	for i, q := range queue {
		if err := t.enqueue(p, id, p.tokens[i], q); err != nil {
			return err
		}
	}
	return nil
}

// recordAll notes the ID for every account once, marks duplicates and counts the other recipients.
func (p *delivery) recordAll(t *tx) (live int, err error) {
	if p.ID == "" {
		return len(p.Local), nil
	}
	seen := make(map[AccountID]bool, len(p.Local))
	for i, r := range p.Local {
		duplicate, ok := seen[r.Account]
		if !ok {
			if duplicate, err = t.record(r.Account, p.ID); err != nil {
				return 0, err
			}
			seen[r.Account] = duplicate
		}
		p.placed[i].Duplicate = duplicate
		if !duplicate {
			live++
		}
	}
	return live, nil
}

// deliverTo returns a mailbox by its name, made if need be.
func (t *tx) deliverTo(a *accountState, name string) (*mailboxState, error) {
	if err := t.makeMailboxes(a); err != nil {
		return nil, err
	}
	m, err := t.named(a, name)
	if err != nil || m != nil {
		return m, err
	}
	return t.makePath(a, name, "", true, nil)
}
