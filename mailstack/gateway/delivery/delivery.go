// Package delivery takes mail for accounts of this system (from the outside on the MX port, from trusted hosts over LMTP,
// from cells over their links) and hands it to the cell that owns the recipients. Mail is acknowledged once that
// cell has acknowledged it; the gateway itself stores nothing.
package delivery

import (
	"io"
	"log/slog"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/gateway/smtp"
	"gouv.tg/messagerie/mailstack/gateway/upstream"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// Kind says where mail comes from.
type Kind string

// Kinds of delivery.
const (
	MX    Kind = "smtp"  // anybody
	LMTP  Kind = "lmtp"  // trusted hosts
	Relay Kind = "relay" // cells
)

// Service makes sessions.
type Service struct {
	Hostname     string
	SharedDomain string
	Table        *route.Table
	Cells        *cells.Manager
	Log          *slog.Logger
	Messages     *telemetry.Counter // labels: kind and smtp.Result
	Recipients   *telemetry.Counter // the same
}

// Session makes the session of one connection. ministry is whose cell it is when kind is Relay.
func (s *Service) Session(kind Kind, ministry string, p *smtp.Peer) smtp.Session {
	return &session{svc: s, kind: kind, source: ministry, peer: p}
}

type session struct {
	svc    *Service
	kind   Kind
	source string
	peer   *smtp.Peer

	mail   smtp.Mail
	owner  string             // ministry of target
	target *upstream.Delivery // stays for the next transaction
	begun  bool               // the transaction has begun there
	reused bool               // the target is of an earlier transaction
	rcpts  []string           // accepted, as often as they were given
}

func (s *session) Login(string, []byte, func([]byte) ([]byte, error)) error {
	return smtp.Fail(502, 5, 5, 1, "Command not implemented")
}

func (s *session) Mail(m smtp.Mail) error {
	if s.kind == Relay {
		if err := s.mayRelay(m.From); err != nil {
			return err
		}
	}
	s.mail = m
	return nil
}

// mayRelay lets a cell send on only mail of its own ministry.
func (s *session) mayRelay(from smtp.Path) error {
	if from.Null() {
		return nil
	}
	address, err := directory.NormalizeAddress(from.String())
	if err != nil {
		return smtp.Fail(550, 5, 7, 1, "Sender address not owned by the ministry")
	}
	switch owner := s.svc.Table.Lookup(address); {
	case owner.Verdict == route.Found && owner.Ministry == s.source:
		return nil
	case owner.Verdict == route.Unsettled || owner.Verdict == route.Contested:
		return smtp.Fail(451, 4, 3, 0, "Owner of the sender address is not known yet")
	}
	s.svc.Log.Warn("cell sends for another ministry", "ministry", s.source, "sender", address)
	return smtp.Fail(550, 5, 7, 1, "Sender address not owned by the ministry")
}

func (s *session) Rcpt(to smtp.Path) error {
	err := s.rcpt(to)
	s.svc.Recipients.Inc(string(s.kind), smtp.Result(err))
	return err
}

func (s *session) rcpt(to smtp.Path) error {
	address, owner, err := s.svc.locate(to)
	if err != nil {
		return err
	}
	if s.begun && s.owner != owner.Ministry {
		if s.target.Accepted() > 0 || s.target.Dead() {
			return smtp.Fail(452, 4, 5, 3, "one destination at a time")
		}
		s.drop()
	}
	if !s.begun {
		if err := s.begin(owner.Ministry); err != nil {
			return err
		}
	}
	for _, known := range s.rcpts {
		if known == address { // the same again: it gets one copy
			s.rcpts = append(s.rcpts, address)
			return nil
		}
	}
	take := s.target.Rcpt
	if owner.Open && s.mail.Size > 0 && s.mail.Size <= link.MaxPromise {
		take = s.target.Promise
	}
	err = take(address)
	if err != nil && s.reused && s.target.Dead() && s.target.Accepted() == 0 { // the stream ended after its last transaction
		s.drop()
		if err = s.begin(owner.Ministry); err == nil {
			err = s.target.Rcpt(address)
		}
	}
	if err != nil {
		return err
	}
	s.rcpts = append(s.rcpts, address)
	return nil
}

// locate finds the owner of a recipient, or the reply for one that has none.
func (s *Service) locate(to smtp.Path) (address string, owner route.Owner, err error) {
	if to.Domain == "" { // RFC 5321, 4.5.1: postmaster
		to.Domain = s.SharedDomain
	}
	domain, err := directory.NormalizeDomain(to.Domain)
	if err != nil {
		return "", owner, smtp.Fail(550, 5, 7, 1, "relaying denied")
	}
	address, malformed := directory.NormalizeAddress(to.String())
	if malformed != nil { // no account has such an address, but the domain may still not be ours
		address = "x@" + domain
	}
	owner = s.Table.Lookup(address)
	switch owner.Verdict {
	case route.UnknownDomain:
		return "", owner, smtp.Fail(550, 5, 7, 1, "relaying denied")
	case route.Unsettled:
		return "", owner, smtp.Fail(451, 4, 3, 0, "Directory is not complete yet, try again later")
	case route.Contested:
		return "", owner, smtp.Fail(451, 4, 3, 5, "Recipient has no single destination")
	}
	if malformed != nil || owner.Verdict == route.UnknownUser {
		return "", owner, smtp.Fail(550, 5, 1, 1, "No such user here")
	}
	return address, owner, nil
}

// begin starts the transaction at the owner's cell, on the stream of the last one if that was with the same.
func (s *session) begin(ministry string) error {
	if s.target != nil && s.owner == ministry && !s.target.Dead() {
		s.target.Mail(s.mail)
		s.begun, s.reused = true, true
		return nil
	}
	s.drop()
	hello := s.peer.Hello
	if s.kind == Relay {
		hello = s.svc.Hostname
	}
	target, err := upstream.OpenDelivery(s.svc.Cells, ministry, link.Header{
		RemoteAddr: s.peer.Conn.RemoteAddr().String(),
		TLSVersion: s.peer.TLSVersion(),
	}, hello)
	if err != nil {
		return err
	}
	target.Mail(s.mail)
	s.target, s.owner, s.begun, s.reused = target, ministry, true, false
	return nil
}

func (s *session) Data(r io.Reader) []error {
	prefix := ""
	if s.kind != Relay {
		prefix = s.received()
	}
	byAddress := map[string]error{}
	for i, err := range s.target.Data(prefix, r) {
		byAddress[s.target.Recipient(i)] = err
	}
	results := make([]error, len(s.rcpts))
	for i, address := range s.rcpts {
		results[i] = byAddress[address]
	}
	s.svc.Messages.Inc(string(s.kind), smtp.Result(first(results)))
	if s.kind == MX {
		return []error{first(results)}
	}
	return results
}

// first gives SMTP the one reply it has: the cell stores a message for all its recipients or for none, so they agree.
// Over LMTP they may not; such a message is counted as what its first recipient in trouble got.
func first(results []error) error {
	for _, err := range results {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Reset() {
	if s.target != nil {
		s.target.Done()
	}
	s.begun, s.rcpts, s.mail = false, nil, smtp.Mail{}
}

func (s *session) drop() {
	if s.target != nil {
		s.target.Abort()
	}
	s.target, s.owner, s.begun, s.reused = nil, "", false, false
}

func (s *session) Close() { s.drop() }
