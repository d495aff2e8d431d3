package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// delivery is an LMTP session (RFC 2033): mail for the mailboxes of this cell.
type delivery struct {
	server *Server
	conn   *smtp.Conn
	stream *streams.Conn

	from       string
	id         string // ENVID: the delivery's identity over retries
	size       int64
	recipients []recipient
}

// traceSize is about what the trace fields add to a message.
const traceSize = 512

// recipient is one RCPT that was accepted.
type recipient struct {
	path    string // as the client wrote it
	account store.Account
}

// Mail implements smtp.Session.
func (d *delivery) Mail(from string, options *smtp.MailOptions) error {
	d.Reset()
	d.from, d.id, d.size = from, options.EnvelopeID, options.Size
	return nil
}

// Rcpt implements smtp.Session.
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if _, _, err := address(to); err != nil {
		return d.server.countRefusal(err)
	}
	account, err := d.server.account(ctx, to, d.size+traceSize)
	if err != nil {
		return d.server.countRefusal(err)
	}
	d.recipients = append(d.recipients, recipient{to, account})
	return nil
}

// Data implements smtp.Session; the library calls LMTPData instead.
func (d *delivery) Data(io.Reader) error { return errInternal }

// LMTPData implements smtp.LMTPSession. All recipients that can take the message get it in one commit; a repeated
// delivery of the same ENVID changes nothing and succeeds.
func (d *delivery) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	body, err := d.server.read(ctx, r, d.size)
	if err != nil {
		return wireError(d.server.log, "read message", err)
	}
	body = mime.CRLF(body)
	if hops(body) > maxHops {
		return d.server.countRefusal(errLoop)
	}
	now := time.Now()
	trace := fmt.Sprintf("Return-Path: <%s>\r\n", d.from) + // RFC 5321, 4.4
		received(d.conn.Hostname(), "", d.server.options.Hostname, "LMTPS", newID(), d.recipients[0].path, len(d.recipients), now)
	raw := append([]byte(trace), body...)

	fitting := d.recipients
	for {
		err = d.deliver(ctx, raw, fitting, now)
		// A sender that declared the size learns at RCPT who is full when it tries again; one whose retries are
		// recognised may be answered for each recipient. Otherwise all would be lost for one, or stored twice.
		if !errors.Is(err, store.ErrOverQuota) || d.id == "" && d.size > 0 {
			break
		}
		var full []recipient
		if fitting, full, err = d.server.divide(ctx, fitting, int64(len(raw))); err != nil {
			break
		}
		for _, r := range full {
			status.SetStatus(r.path, errOverQuota)
		}
		if len(fitting) == 0 {
			return nil
		}
	}
	if err == nil {
		d.server.delivered.Add(1)
		d.server.recipients.Add(int64(len(fitting)))
		d.server.log.Info("delivered", "from", d.from, "recipients", len(fitting), "bytes", len(raw), "envid", d.id)
	}
	err = wireError(d.server.log, "deliver", err)
	for _, r := range fitting {
		status.SetStatus(r.path, err)
	}
	return nil
}

func (d *delivery) deliver(ctx context.Context, raw []byte, recipients []recipient, now time.Time) error {
	local := make([]store.Recipient, 0, len(recipients))
	seen := make(map[store.AccountID]bool, len(recipients))
	for _, r := range recipients {
		if !seen[r.account.ID] {
			seen[r.account.ID] = true
			local = append(local, store.Recipient{Account: r.account.ID})
		}
	}
	_, err := d.server.store.Deliver(ctx, store.Delivery{ID: d.id, Raw: raw, InternalDate: now, Local: local, Sender: d.from})
	return err
}

// divide tells the recipients that have room from those that are full by now. It fails when all have room: then the store
// and this count disagree, and trying again would not end.
func (s *Server) divide(ctx context.Context, all []recipient, size int64) (fitting, full []recipient, err error) {
	for _, r := range all {
		account, err := s.store.Account(ctx, r.account.Address)
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

// Reset implements smtp.Session.
func (d *delivery) Reset() { d.from, d.id, d.size, d.recipients = "", "", 0, nil }

// Logout implements smtp.Session.
func (d *delivery) Logout() error {
	d.server.sessions.Add(-1)
	return nil
}

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
