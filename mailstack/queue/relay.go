package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/mailstack/store"
)

// Bounds of a conversation with the gateway. It may have to reach another cell before it answers.
const (
	relayTimeout     = 30 * time.Second
	relayDataTimeout = 3 * time.Minute
)

// senderPatience is how often a gateway may refuse a sender before that is believed: it may not have learned of
// a new address yet.
const senderPatience = 5

// relay sends an item to the cell that its recipient lives in. external says that the gateway denies relaying: the
// recipient is outside the platform.
func (w *worker) relay(ctx context.Context, item store.QueueItem, raw []byte) (f *failure, external bool) {
	options := &smtp.MailOptions{Size: int64(len(raw)), EnvelopeID: item.Token}
	if err := w.begin(ctx, item.Sender, options); err != nil {
		f := refusal(err)
		f.permanent = f.permanent && item.Attempts >= senderPatience
		return f, false
	}
	stop := interrupt(ctx, w.conn)
	defer stop()
	err := w.client.Rcpt(item.Recipient, nil)
	if err == nil {
		// When the reply never comes the item is tried again, and its token keeps the receiver from storing it twice.
		if err = w.data(raw); err != nil {
			w.close() // a refusal after DATA is rare enough not to care about the stream
			return refusal(err), false
		}
		return nil, false
	}
	var wire *smtp.SMTPError
	if !errors.As(err, &wire) || w.client.Reset() != nil {
		w.close()
	}
	f = refusal(err)
	return f, f.permanent && f.status == "5.7.1"
}

// begin opens a transaction, on the worker's stream if that still works and on a new one otherwise.
func (w *worker) begin(ctx context.Context, sender string, options *smtp.MailOptions) error {
	if w.client != nil {
		err := w.mail(ctx, sender, options)
		var wire *smtp.SMTPError
		if err == nil || errors.As(err, &wire) {
			return err
		}
		w.close()
	}
	open, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	conn, err := w.queue.Gateways.OpenRelay(open)
	if err != nil {
		return err
	}
	w.conn, w.client = conn, smtp.NewClientLMTP(conn)
	w.client.CommandTimeout, w.client.SubmissionTimeout = relayTimeout, relayDataTimeout
	if err = w.mail(ctx, sender, options); err != nil {
		w.close()
	}
	return err
}

func (w *worker) mail(ctx context.Context, sender string, options *smtp.MailOptions) error {
	stop := interrupt(ctx, w.conn)
	defer stop()
	return w.client.Mail(sender, options)
}

// data sends the message to the one recipient.
func (w *worker) data(raw []byte) error {
	body, err := w.client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(raw); err != nil {
		return err
	}
	_, err = body.CloseWithLMTPResponse()
	var refused smtp.LMTPDataError
	if errors.As(err, &refused) {
		for _, reply := range refused {
			return reply
		}
	}
	return err
}

// interrupt makes what happens on a connection fail when ctx is done, until the result is called.
func interrupt(ctx context.Context, conn net.Conn) func() bool {
	return context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0))
		_ = conn.Close()
	})
}

// refusal makes a failure of an error: a reply keeps its meaning, anything else is worth another attempt.
func refusal(err error) *failure {
	var wire *smtp.SMTPError
	if !errors.As(err, &wire) {
		return &failure{status: "4.4.2", reply: err.Error()}
	}
	e := wire.EnhancedCode
	if e == smtp.NoEnhancedCode || e == smtp.EnhancedCodeNotSet {
		e = smtp.EnhancedCode{wire.Code / 100, 0, 0}
	}
	status := fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
	text := strings.Join(strings.Fields(wire.Message), " ")
	return &failure{permanent: wire.Code/100 == 5, status: status, reply: fmt.Sprintf("%d %s %s", wire.Code, status, text)}
}
