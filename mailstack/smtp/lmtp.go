package smtp

import (
	"io"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/link/handover"
)

// lmtp is an LMTP session (RFC 2033) of deliveries.
type lmtp struct {
	delivery
	conn *smtp.Conn
}

// Mail implements smtp.Session.
func (l *lmtp) Mail(from string, options *smtp.MailOptions) error {
	return l.delivery.Mail(handover.Mail{Hello: l.conn.Hostname(), From: from, Size: options.Size, EnvelopeID: options.EnvelopeID})
}

// Rcpt implements smtp.Session.
func (l *lmtp) Rcpt(to string, _ *smtp.RcptOptions) error { return l.delivery.Rcpt(to) }

// Data implements smtp.Session; the library calls LMTPData instead.
func (l *lmtp) Data(io.Reader) error { return errInternal }

// LMTPData implements smtp.LMTPSession.
func (l *lmtp) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	for i, err := range l.delivery.Data(r) {
		status.SetStatus(l.recipients[i].path, err)
	}
	return nil
}

// Logout implements smtp.Session.
func (l *lmtp) Logout() error {
	l.server.sessions.Add(-1)
	return nil
}
