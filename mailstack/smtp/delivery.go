package smtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"gouv.tg/messagerie/mailstack/link/handover"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// delivery is a session of mail for the mailboxes of this cell.
type delivery struct {
	server     *Server
	mail       handover.Mail
	recipients []recipient
}

// traceSize is about what the trace fields add to a message.
const traceSize = 512

// recipient is one that was accepted.
type recipient struct {
	path    string // as the client wrote it
	account store.Receiver
	outcome error // of the message
}

// Mail implements handover.Session.
func (d *delivery) Mail(m handover.Mail) error {
	d.Reset()
	for i := range len(m.From) {
		if m.From[i] < ' ' || m.From[i] >= 0x7f { // no SMTPUTF8 (RFC 6531) here
			return errBadSender
		}
	}
	d.mail = m
	return nil
}

// Rcpt implements handover.Session.
func (d *delivery) Rcpt(to string) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if _, _, err := address(to); err != nil {
		return d.server.countRefusal(err)
	}
	account, err := d.server.account(ctx, to, d.mail.Size+traceSize)
	if err != nil {
		return d.server.countRefusal(err)
	}
	d.recipients = append(d.recipients, recipient{path: to, account: account})
	return nil
}

// Data implements handover.Session.
func (d *delivery) Data(r io.Reader) []error {
	if err := d.take(r); err != nil {
		for i := range d.recipients {
			d.recipients[i].outcome = err
		}
	}
	results := make([]error, len(d.recipients))
	for i, r := range d.recipients {
		results[i] = r.outcome
	}
	return results
}

// take takes a message and notes its outcome for each recipient. All that can take it get it in one commit; a repeated
// delivery of the same envelope changes nothing and succeeds. An error is the outcome for all.
func (d *delivery) take(r io.Reader) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	now := time.Now()
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	trace := d.trace((*buffer)[:0], now)
	raw, err := d.server.read(ctx, r, trace, d.mail.Size)
	if err != nil {
		return wireError(d.server.log, "read message", err)
	}
	*buffer = raw
	body := mime.CRLF(raw[len(trace):])
	if len(body) > len(raw)-len(trace) {
		raw = append(raw[:len(trace):len(trace)], body...)
	}
	if hops(body) > maxHops {
		return d.server.countRefusal(errLoop)
	}

	fitting := make([]*recipient, len(d.recipients))
	for i := range d.recipients {
		fitting[i] = &d.recipients[i]
	}
	for {
		err = d.deliver(ctx, raw, fitting, now)
		// A sender that declared the size learns at RCPT who is full when it tries again; one whose retries are
		// recognised may be answered for each recipient. Otherwise all would be lost for one, or stored twice.
		if !errors.Is(err, store.ErrOverQuota) || d.mail.EnvelopeID == "" && d.mail.Size > 0 {
			break
		}
		var full []*recipient
		if fitting, full, err = d.server.divide(ctx, fitting, int64(len(raw))); err != nil {
			break
		}
		for _, r := range full {
			r.outcome = errOverQuota
		}
		if len(fitting) == 0 {
			return nil
		}
	}
	if err == nil {
		d.server.delivered.Add(1)
		d.server.recipients.Add(int64(len(fitting)))
		d.server.log.LogAttrs(ctx, slog.LevelInfo, "delivered", slog.String("from", d.mail.From), slog.Int("recipients", len(fitting)),
			slog.Int("bytes", len(raw)), slog.String("envid", d.mail.EnvelopeID))
	}
	err = wireError(d.server.log, "deliver", err)
	for _, r := range fitting {
		r.outcome = err
	}
	return nil
}

// trace appends the trace fields of this hop (RFC 5321, 4.4).
func (d *delivery) trace(b []byte, now time.Time) []byte {
	b = append(append(append(b, "Return-Path: <"...), d.mail.From...), ">\r\n"...)
	return received(b, d.mail.Hello, "", d.server.options.Hostname, "LMTPS", newID(), d.recipients[0].path, len(d.recipients), now)
}

func (d *delivery) deliver(ctx context.Context, raw []byte, recipients []*recipient, now time.Time) error {
	local := make([]store.Recipient, 0, len(recipients))
	seen := make(map[store.AccountID]bool, len(recipients))
	for _, r := range recipients {
		if !seen[r.account.ID] {
			seen[r.account.ID] = true
			local = append(local, store.Recipient{Account: r.account.ID})
		}
	}
	_, err := d.server.store.Deliver(ctx, store.Delivery{ID: d.mail.EnvelopeID, Raw: raw, InternalDate: now, Local: local, Sender: d.mail.From})
	return err
}

// divide tells the recipients that have room from those that are full by now. It fails when all have room: then the store
// and this count disagree, and trying again would not end.
func (s *Server) divide(ctx context.Context, all []*recipient, size int64) (fitting, full []*recipient, err error) {
	for _, r := range all {
		account, err := s.store.Receiver(ctx, r.account.Address)
		switch {
		case err != nil:
			return all, nil, err
		case overQuota(account, size):
			full = append(full, r)
		default:
			fitting = append(fitting, r)
		}
	}
	if len(full) == 0 {
		return all, nil, store.ErrOverQuota
	}
	return fitting, full, nil
}

// Reset implements handover.Session.
func (d *delivery) Reset() { d.mail, d.recipients = handover.Mail{}, nil }

// hops counts the servers a message has passed.
func hops(raw []byte) int {
	header, _ := mime.Split(raw)
	n := 0
	for f := range mime.Fields(header) {
		if f.Is("Received") {
			n++
		}
	}
	return n
}
