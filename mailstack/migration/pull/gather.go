package pull

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
)

// Plan is what a dry run finds out.
type Plan struct {
	Source   string     `json:"source"`
	Evidence []Evidence `json:"evidence"` // in the order of rows
	Code     string     `json:"code"`     // confirms it; empty if a row is refused
}

// Gather logs in to every account of the source, looks whose its mail is, and decides on each row. Nothing is copied.
func Gather(ctx context.Context, o Options, rows []Row) (Plan, error) {
	o.defaults()
	p := Plan{Source: o.Source, Evidence: make([]Evidence, len(rows))}
	b := newBook(rows, o.Locate)
	t := &tally{report: o.Progress, now: Progress{Accounts: len(rows)}}
	each(ctx, rows, o.Concurrency, func(i int, r *Row) {
		e := &p.Evidence[i]
		*e = Evidence{User: r.Identity(), Address: r.Address, Force: r.Force}
		err := retry(ctx, o.pause, gatherAttempts, func(func()) error { return gather(ctx, &o, b, r, e) })
		if err != nil {
			e.Verdict, e.Reasons = Failed, []string{err.Error()}
		}
		t.add(r.Address, "looked at", 1, 0, 0)
	})
	if err := ctx.Err(); err != nil {
		return p, err
	}
	p.Code = p.code(rows)
	return p, nil
}

// gatherAttempts are few: a person waits.
const gatherAttempts = 3

func gather(ctx context.Context, o *Options, b book, r *Row, e *Evidence) error {
	cell := o.Locate(r.Address)
	if cell == nil {
		return noAccount(r.Address)
	}
	d, err := cell.Describe(ctx, r.Address)
	if err != nil {
		return err
	}
	if d.Disabled {
		return final("address: found %s, an account that is disabled; accepted is one that is not", r.Address)
	}
	s, err := dial(ctx, o, r)
	if err != nil {
		return err
	}
	defer s.close()
	boxes, err := s.boxes()
	if err != nil {
		return err
	}
	e.Mailboxes, e.Messages, e.Validities = len(boxes), 0, nil
	sent := sentBox(boxes)
	for i, box := range boxes {
		inbox := strings.EqualFold(box.name, "INBOX")
		if !inbox && i != sent {
			continue
		}
		data, err := s.examine(box.name)
		if err != nil {
			return fmt.Errorf("mailbox %q: %w", box.name, err)
		}
		e.Validities = append(e.Validities, Validity{box.name, data.UIDValidity})
		e.Messages += int64(data.NumMessages)
		if inbox {
			headers, err := s.headers(data.NumMessages, inboxFields...)
			if err != nil {
				return err
			}
			e.Inbox = b.sample(headers, r.Address, envelopeFields, inboxFields[len(envelopeFields):])
			continue
		}
		headers, err := s.headers(data.NumMessages, sentFields...)
		if err != nil {
			return err
		}
		e.Sent = b.sample(headers, r.Address, sentFields)
	}
	slices.SortFunc(e.Validities, func(a, b Validity) int { return strings.Compare(a.Mailbox, b.Mailbox) })
	b.judge(e)
	return nil
}

// noAccount is the error for an address that no cell holds.
func noAccount(address string) error {
	return final("address: found %s; accepted is the address of an account", address)
}

// code is a digest of the mapping and of what it rests on: mail that comes in does not change it, another verdict does, another
// account behind the same login, and for what is forced another reason against it. Empty if a row is refused.
func (p *Plan) code(rows []Row) string {
	h := sha256.New()
	put := func(parts ...string) {
		for _, s := range parts {
			fmt.Fprintf(h, "%d:%s", len(s), s)
		}
	}
	put("1", p.Source)
	for i := range p.Evidence {
		e := &p.Evidence[i]
		if e.Refused() {
			return ""
		}
		put(rows[i].User, rows[i].Authorize, e.Address, string(e.Verdict), e.Force)
		if e.Verdict != Agrees {
			put(e.Reasons...)
		}
		for _, v := range e.Validities {
			put(v.Mailbox, fmt.Sprint(v.UIDValidity))
		}
	}
	text := base32.StdEncoding.EncodeToString(h.Sum(nil))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12]
}
