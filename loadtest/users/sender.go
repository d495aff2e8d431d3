package users

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

type senderKind int

const (
	senderMX senderKind = iota
	senderLMTP
	senderSubmission
)

// correspondent is who writes from outside: a name that can never exist (RFC 6761, 6.4).
const correspondent = "correspondant@etranger.invalid"

// sender hands messages in: from outside to the MX port, by LMTP, or as an agent by submission.
type sender struct {
	env                  *Environment
	kind                 senderKind
	reuse                int // messages a connection
	connect, login, send *record.Operation

	mu   sync.Mutex
	kept map[int][]*keptConnection // by user; by 0 where there is no login
}

// tooManyRecipients is the reply to RCPT that asks for another transaction.
const tooManyRecipients = 452

// maxKept is how long a connection waits for its next message. Servers end idle ones after some minutes (RFC 5321, 4.5.3.2.7):
// a message must not fail because the connections of a rush lay unused since.
const maxKept = time.Minute

type keptConnection struct {
	client *smtp.Client
	sent   int
	since  time.Time // it is not in use
}

func (c *keptConnection) stale() bool { return time.Since(c.since) > maxKept }

func newSender(env *Environment, stream *scenario.Stream, kind senderKind) *sender {
	names := map[senderKind][2]string{
		senderMX: {"smtp.connect", "smtp.mx"}, senderLMTP: {"lmtp.connect", "lmtp.deliver"},
		senderSubmission: {"submission.connect", "smtp.submit"},
	}[kind]
	s := &sender{env: env, kind: kind, reuse: stream.MessagesPerConnection, kept: map[int][]*keptConnection{}}
	s.connect, s.send = env.Recorder.Operation(names[0]), env.Recorder.Operation(names[1])
	if kind == senderSubmission {
		s.login = env.Recorder.Operation("smtp.login")
	}
	return s
}

func (s *sender) Users() int { return s.env.Population.Len() }

// Perform sends one message. Its latency holds everything from the moment the agent wanted to send: connecting and
// logging in too.
func (s *sender) Perform(ctx context.Context, user int, intended time.Time, rng *rand.Rand) {
	ctx, cancel := s.env.operation(ctx)
	defer cancel()
	c, err := s.take(ctx, user, intended)
	if err != nil {
		s.send.Failed(intended, time.Now(), classify(err))
		return
	}
	m := s.compose(rng, user)
	s.env.Content.Submitted(m, intended)
	// A server may take some recipients now and want the others in a transaction of their own (RFC 5321, 4.5.3.1.10).
	for to := m.To; ; {
		before := c.client.Conn().Sent()
		receipt, err := c.client.Send(ctx, m.From, to, m.Raw)
		s.send.Bytes(int(c.client.Conn().Sent()-before), 0)
		if err != nil {
			s.lost(m, to, receipt, err, intended)
			c.client.Close()
			return
		}
		c.sent++
		rest := s.settle(m, to, receipt, intended)
		if len(rest) == 0 {
			break
		}
		to = rest
	}
	s.put(ctx, user, c)
}

// Skip counts a message.
func (s *sender) Skip(intended time.Time, _ *rand.Rand) { s.send.Skipped(intended) }

// lost records a transaction that failed: as a whole, or after the replies for some recipients. Of the rest nobody knows.
func (s *sender) lost(m *content.Message, to []string, receipt smtp.Receipt, err error, intended time.Time) {
	now := time.Now()
	for _, address := range to {
		switch {
		case slices.Contains(receipt.Accepted, address):
			s.env.Content.Acknowledged(m, address, now)
		case receipt.Refused[address] != nil, isRefusal(err):
			s.env.Content.Refused(m, address)
		default:
			s.env.Content.Unknown(m, address)
		}
	}
	s.send.Failed(intended, now, classify(err))
}

// settle records how a transaction ended for each recipient, and returns those to try in another one.
func (s *sender) settle(m *content.Message, to []string, receipt smtp.Receipt, intended time.Time) (rest []string) {
	now := time.Now()
	var first error
	for _, address := range to {
		refusal := receipt.Refused[address]
		switch {
		case refusal == nil:
			s.env.Content.Acknowledged(m, address, now)
		case refusal.Code == tooManyRecipients && len(receipt.Refused) < len(to):
			rest = append(rest, address)
		default:
			s.env.Content.Refused(m, address)
			first = refusal
		}
	}
	if first != nil {
		s.send.Failed(intended, now, classify(first))
	} else {
		s.send.Done(intended, now)
	}
	return rest
}

// take returns a kept connection of the user, or a new one. Stale ones are closed.
func (s *sender) take(ctx context.Context, user int, intended time.Time) (*keptConnection, error) {
	key := s.key(user)
	s.mu.Lock()
	list := s.kept[key]
	for len(list) > 0 && list[0].stale() { // the last one used is the first to be used again: those in front are the oldest
		_ = list[0].client.Close()
		list = slices.Delete(list, 0, 1)
	}
	var c *keptConnection
	if last := len(list) - 1; last >= 0 {
		c, list = list[last], list[:last]
	}
	if len(list) > 0 {
		s.kept[key] = list
	} else {
		delete(s.kept, key)
	}
	s.mu.Unlock()
	if c != nil {
		return c, nil
	}

	p, options := s.env.Population, smtp.Options{LMTP: s.kind == senderLMTP}
	var endpoint string
	switch s.kind {
	case senderMX:
		endpoint, _ = p.endpoint(user, "smtp")
	case senderLMTP:
		endpoint, _ = p.endpoint(user, "lmtp")
	case senderSubmission:
		endpoint, options.Security = p.submissionEndpoint(user)
	}
	client, err := smtp.Dial(ctx, p.dialerOf(user), endpoint, options)
	now := time.Now()
	if err != nil {
		s.connect.Failed(intended, now, classify(err))
		return nil, err
	}
	s.connect.Done(intended, now)
	if s.kind == senderSubmission {
		account := p.members[user].account
		err = client.Auth(ctx, account.Address, account.Password)
		if err != nil {
			s.login.Failed(now, time.Now(), classify(err))
			client.Close()
			return nil, err
		}
		s.login.Done(now, time.Now())
	}
	return &keptConnection{client: client}, nil
}

// put keeps the connection for the next message, or leaves politely.
func (s *sender) put(ctx context.Context, user int, c *keptConnection) {
	if c.sent >= s.reuse {
		_ = c.client.Quit(ctx)
		return
	}
	key := s.key(user)
	c.since = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = append(s.kept[key], c)
}

func (s *sender) key(user int) int {
	if s.kind == senderSubmission {
		return user
	}
	return 0
}

func (s *sender) Close(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.kept {
		for _, c := range list {
			_ = c.client.Quit(ctx)
		}
	}
	clear(s.kept)
}

// compose writes a message to agents of this worker: from one of them, or from outside to somebody and, mostly, those around.
func (s *sender) compose(rng *rand.Rand, user int) *content.Message {
	p, from := s.env.Population, correspondent
	if s.kind == senderSubmission {
		from = p.Address(user)
	} else {
		user = p.anyone(rng)
	}
	var to []string
	for range s.env.Content.Recipients(rng) {
		recipient := p.anyone(rng)
		if rng.Float64() < s.env.Scenario.Messages.ColleagueShare {
			recipient = p.colleague(rng, user)
		}
		if address := p.Address(recipient); !slices.Contains(to, address) {
			to = append(to, address)
		}
	}
	return s.env.Content.Compose(rng, from, to, time.Now())
}
