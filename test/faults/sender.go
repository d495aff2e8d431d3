package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-smtp"

	"gouv.tg/messagerie/test/harness"
)

// sender submits messages of one account over one session, which it opens again whenever it has died.
type sender struct {
	service *service
	account harness.Account
	client  *smtp.Client
}

// send submits a message. The error, if any, says why the outcome is not Acknowledged.
func (s *sender) send(ctx context.Context, m *Message, text []byte) (Outcome, error) {
	outcome, err := s.transact(ctx, m, text)
	var reply *smtp.SMTPError
	switch {
	case err == nil || s.client == nil:
	case errors.As(err, &reply) && reply.Code != 421 && s.client.Reset() == nil:
	default:
		s.close()
	}
	return outcome, err
}

func (s *sender) transact(ctx context.Context, m *Message, text []byte) (Outcome, error) {
	if s.client == nil {
		at := s.service.get()
		client, err := harness.DialSubmission(ctx, at.submission, at.tls, s.account)
		if err != nil {
			return NotSent, fmt.Errorf("cannot log in as %s: %w", s.account.Address, err)
		}
		s.client = client
	}
	if err := s.client.Mail(m.From, nil); err != nil {
		return NotSent, fmt.Errorf("MAIL FROM %s: %w", m.From, err)
	}
	for _, to := range m.To {
		if err := s.client.Rcpt(to, nil); err != nil {
			return NotSent, fmt.Errorf("RCPT TO %s: %w", to, err)
		}
	}
	data, err := s.client.Data()
	if err != nil {
		return NotSent, fmt.Errorf("DATA: %w", err)
	}
	// Without the final dot, which only Close sends, there is no message.
	if _, err := data.Write(text); err != nil {
		return NotSent, fmt.Errorf("cannot send the message: %w", err)
	}
	if err := data.Close(); err != nil {
		if permanent(err) {
			return Refused, fmt.Errorf("after DATA: %w", err)
		}
		return Unknown, fmt.Errorf("after DATA: %w", err)
	}
	return Acknowledged, nil
}

func (s *sender) close() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// permanent says whether an error is a refusal for good.
func permanent(err error) bool {
	var reply *smtp.SMTPError
	return errors.As(err, &reply) && reply.Code >= 500
}
