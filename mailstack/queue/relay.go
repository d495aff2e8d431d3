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

// relay sends a group to other cells and records the outcomes. It returns the indexes of recipients that the gateway
// says are outside the platform.
func (w *worker) relay(ctx context.Context, group []store.QueueItem, raw []byte, outcomes []*failure) (external []int) {
	left := make([]int, len(group))
	for i := range group {
		left[i] = i
	}
	for len(left) > 0 {
		pass, err := w.transaction(ctx, group, left, raw, outcomes)
		external = append(external, pass.external...)
		if err != nil {
			f := refusal(err)
			if f.permanent && group[0].Attempts < 5 {
				// MAIL was refused: the gateway may not have learned of this sender yet.
				f.permanent = false
			}
			for _, i := range pass.undecided {
				outcomes[i] = f
			}
			return external
		}
		if len(pass.undecided) == len(left) { // no recipient was taken, not even the first
			for _, i := range left {
				outcomes[i] = &failure{status: "4.5.3", reply: "452 4.5.3 no recipient was accepted"}
			}
			return external
		}
		left = pass.undecided
	}
	return external
}

// pass is what one transaction left open.
type pass struct {
	external  []int // the gateway denies relaying
	undecided []int // for another transaction, or all that an error concerns
}

// transaction sends to as many recipients as the gateway takes at once. An error concerns the undecided recipients.
func (w *worker) transaction(ctx context.Context, group []store.QueueItem, left []int, raw []byte, outcomes []*failure) (p pass, err error) {
	first := group[left[0]]
	options := &smtp.MailOptions{Size: int64(len(raw)), EnvelopeID: first.Token}
	client, err := w.begin(ctx, first.Sender, options)
	if err != nil {
		return pass{undecided: left}, err
	}
	stop := w.interruptible(ctx)
	defer stop()
	var accepted []int
	for n, i := range left {
		err := client.Rcpt(group[i].Recipient, nil)
		var wire *smtp.SMTPError
		switch {
		case err == nil:
			accepted = append(accepted, i)
		case !errors.As(err, &wire):
			w.close()
			p.undecided = append(append(p.undecided, accepted...), left[n:]...)
			return p, err
		case wire.Code == 452 && wire.EnhancedCode == smtp.EnhancedCode{4, 5, 3}:
			p.undecided = append(p.undecided, i)
		case wire.Code/100 == 5 && wire.EnhancedCode == smtp.EnhancedCode{5, 7, 1}:
			p.external = append(p.external, i)
		default:
			outcomes[i] = refusal(err)
		}
	}
	if len(accepted) == 0 {
		if client.Reset() != nil {
			w.close()
		}
		return p, nil
	}
	if err := w.data(client, group, accepted, raw, outcomes); err != nil {
		w.close()
	}
	return p, nil
}

// begin opens the transaction, on the worker's stream if it still works and on a new one otherwise.
func (w *worker) begin(ctx context.Context, sender string, options *smtp.MailOptions) (*smtp.Client, error) {
	if w.client != nil {
		stop := w.interruptible(ctx)
		err := w.client.Mail(sender, options)
		stop()
		var wire *smtp.SMTPError
		switch {
		case err == nil:
			return w.client, nil
		case errors.As(err, &wire):
			if w.client.Reset() != nil {
				w.close()
			}
			return nil, err
		}
		w.close()
	}
	open, cancel := context.WithTimeout(ctx, relayTimeout)
	defer cancel()
	conn, err := w.queue.Gateways.OpenRelay(open)
	if err != nil {
		return nil, err
	}
	w.conn, w.client = conn, smtp.NewClientLMTP(conn)
	w.client.CommandTimeout, w.client.SubmissionTimeout = relayTimeout, relayDataTimeout
	stop := w.interruptible(ctx)
	defer stop()
	if err := w.client.Hello(w.queue.Hostname); err != nil {
		w.close()
		return nil, err
	}
	if err := w.client.Mail(sender, options); err != nil {
		w.close()
		return nil, err
	}
	return w.client, nil
}

// data sends the message and records an outcome for each accepted recipient. An error means that the stream is of no more
// use. A reply that never came leaves the outcome open: the item is tried again, and its token keeps the receiver from
// storing it twice.
func (w *worker) data(client *smtp.Client, group []store.QueueItem, accepted []int, raw []byte, outcomes []*failure) error {
	body, err := client.Data()
	if err == nil {
		_, err = body.Write(raw)
	}
	var replies map[string]*smtp.DataResponse
	if err == nil {
		replies, err = body.CloseWithLMTPResponse()
	}
	var refused smtp.LMTPDataError
	errors.As(err, &refused)
	broken := false
	for _, i := range accepted {
		switch recipient := group[i].Recipient; {
		case replies[recipient] != nil:
		case refused[recipient] != nil:
			outcomes[i] = refusal(refused[recipient])
		default:
			outcomes[i] = refusal(err)
			broken = true
		}
	}
	if broken {
		return err
	}
	return nil
}

// interruptible makes the stream's pending operation fail when ctx is done. The caller stops that with the result.
func (w *worker) interruptible(ctx context.Context) func() bool {
	return interrupt(ctx, w.conn)
}

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
		text := "connection failed"
		if err != nil {
			text = err.Error()
		}
		return &failure{status: "4.4.2", reply: text}
	}
	e := wire.EnhancedCode
	if e == smtp.NoEnhancedCode || e == smtp.EnhancedCodeNotSet {
		e = smtp.EnhancedCode{wire.Code / 100, 0, 0}
	}
	status := fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
	text := strings.Join(strings.Fields(wire.Message), " ")
	return &failure{permanent: wire.Code/100 == 5, status: status, reply: fmt.Sprintf("%d %s %s", wire.Code, status, text)}
}
