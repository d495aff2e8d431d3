// Package submission takes mail from agents (RFC 6409): the cell that owns the account proves the login and then leads the
// dialogue; the gateway passes on what is said.
package submission

import (
	"context"
	"io"
	"log/slog"

	"gouv.tg/messagerie/mailstack/gateway/binding"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/login"
	"gouv.tg/messagerie/mailstack/gateway/smtp"
	"gouv.tg/messagerie/mailstack/gateway/upstream"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// kind is what messages are counted as, from either of the two listeners.
const kind = "submission"

// Service makes sessions.
type Service struct {
	Login      *login.Authenticator
	Cells      *cells.Manager
	Log        *slog.Logger
	Messages   *telemetry.Counter // labels: "submission" and smtp.Result
	Recipients *telemetry.Counter // the same
}

// Session makes the session of one connection.
func (s *Service) Session(ctx context.Context, p *smtp.Peer) smtp.Session {
	return &session{svc: s, ctx: ctx, peer: p}
}

type session struct {
	svc  *Service
	ctx  context.Context // of the connection: it ends logins that nobody waits for
	peer *smtp.Peer

	cell *upstream.Client // once logged in
}

func (s *session) Login(mechanism string, first []byte, ask func([]byte) ([]byte, error)) error {
	req, err := login.Request(link.AuthRequest{Service: link.ServiceSubmission, TLSVersion: s.peer.TLSVersion()}, mechanism, first)
	if err != nil {
		return err
	}
	if s.peer.TLS != nil {
		req.Bindings = binding.Data(*s.peer.TLS, s.peer.Shown)
	}
	var broken error
	v := s.svc.Login.Login(s.ctx, s.peer.Conn.RemoteAddr(), req, func(challenge []byte) (response []byte, err error) {
		response, broken = ask(challenge)
		return response, broken
	})
	if broken != nil {
		return broken
	}
	if !v.OK {
		return refusal(v.Code, v.Text)
	}
	cell, err := upstream.Open(s.svc.Cells, v.Ministry, link.Header{
		Protocol:   link.ProtocolSubmission,
		RemoteAddr: s.peer.Conn.RemoteAddr().String(),
		TLSVersion: s.peer.TLSVersion(),
		User:       v.Account,
		Ticket:     v.Ticket,
	}, s.peer.Hello)
	if err != nil {
		s.svc.Log.Warn("cell takes no submission after a login", "ministry", v.Ministry, "error", err)
		return refusal(link.CodeUnavailable, "Temporary authentication failure")
	}
	s.cell = cell
	return nil
}

// refusal is RFC 4954, 6.
func refusal(code, text string) error {
	switch code {
	case link.CodeUnavailable:
		return smtp.Fail(454, 4, 7, 0, text)
	case link.CodePrivacyRequired:
		return smtp.Fail(538, 5, 7, 11, text)
	case link.CodeContactAdmin:
		return smtp.Fail(535, 5, 7, 0, text)
	}
	return smtp.Fail(535, 5, 7, 8, text)
}

// errGone ends a connection whose cell has gone: the login was good for one dialogue only.
var errGone = smtp.Fail(421, 4, 4, 2, "Mailbox server was restarted, connect again")

func (s *session) Mail(m smtp.Mail) error {
	if s.cell == nil {
		return smtp.Fail(530, 5, 7, 0, "Authentication required")
	}
	if s.cell.Dead() {
		return errGone
	}
	err := s.cell.Mail(m)
	if s.cell.Dead() {
		return errGone
	}
	return err
}

func (s *session) Rcpt(to smtp.Path) error {
	err := s.cell.Rcpt(to.String())
	s.svc.Recipients.Inc(kind, smtp.Result(err))
	return err
}

func (s *session) Data(r io.Reader) []error {
	err := s.cell.Data("", r)
	s.svc.Messages.Inc(kind, smtp.Result(err))
	return []error{err}
}

func (s *session) Reset() { s.cell.Done() }

func (s *session) Close() {
	if s.cell != nil {
		s.cell.Abort()
	}
}
