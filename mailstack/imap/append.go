package imap

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// leastBytes is what a message counts at least of what one APPEND may hold in memory.
const leastBytes = 4096

// append is APPEND (RFC 9051, 6.3.12) of one or many messages (RFC 3502), which may be put together from parts (RFC 4469).
func (s *Session) append(c *call) error {
	args, err := syntax.ParseAppend(s.r)
	if err != nil {
		return err
	}
	b, err := s.lookup(args.Mailbox)
	if err == nil {
		err = b.need(store.RightInsert)
	}
	if err != nil {
		return s.tryCreate(c.name, err)
	}
	var messages []store.NewMessage
	gather := gatherer{s: s}
	defer gather.release()
	for {
		m, err := args.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		message, err := gather.message(m)
		if err != nil {
			return s.readFailure(c.name, err)
		}
		message.Flags = b.settable(message.Flags)
		messages = append(messages, message)
	}
	placed, err := s.server.store.AppendAll(s.ctx, b.ID, messages, s)
	if err != nil {
		return s.tryCreate(c.name, err)
	}
	for _, p := range placed {
		s.made(b.ID, p.UID)
	}
	c.code = appendUID(placed)
	return nil
}

// appendUID is the response code of RFC 4315, 3 and RFC 3502, 6.3.11.
func appendUID(placed []store.Placed) string {
	uids := make([]imap.UID, len(placed))
	for i, p := range placed {
		uids[i] = p.UID
	}
	b := append([]byte("APPENDUID "), strconv.FormatUint(uint64(placed[0].UIDValidity), 10)...)
	return string(appendUIDs(append(b, ' '), uids))
}

// gatherer reads messages into memory, within bounds for all sessions together.
type gatherer struct {
	s     *Session
	size  int64 // of the messages so far
	place bool  // one of the places for large messages is taken
}

func (g *gatherer) release() {
	if g.place {
		<-g.s.server.large
	}
}

// grow makes room for so many more bytes.
func (g *gatherer) grow(size, message int64) error {
	limit := g.s.server.options.MaxMessageBytes
	if message+size > limit || g.size+size > 2*limit+leastBytes {
		return no(imap.ResponseCodeTooBig, "Message is too big")
	}
	g.size += size
	if g.size > largeMessage && !g.place {
		select {
		case g.s.server.large <- struct{}{}:
			g.place = true
		case <-g.s.ctx.Done():
			return g.s.ctx.Err()
		}
	}
	return nil
}

// message reads one message.
func (g *gatherer) message(m *syntax.Message) (store.NewMessage, error) {
	var raw []byte
	if err := g.grow(leastBytes, 0); err != nil {
		return store.NewMessage{}, err
	}
	for {
		part, err := m.Part()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return store.NewMessage{}, err
		}
		if raw, err = g.part(raw, part); err != nil {
			return store.NewMessage{}, err
		}
	}
	if len(raw) == 0 {
		return store.NewMessage{}, no(imap.ResponseCodeCannot, "Message is empty")
	}
	date := m.Date
	if date.IsZero() {
		date = time.Now()
	}
	return store.NewMessage{Raw: mime.CRLF(raw), Flags: m.Flags, Date: date}, nil
}

// part adds a literal, or what a URL stands for.
func (g *gatherer) part(raw []byte, part syntax.Part) ([]byte, error) {
	if part.Literal == nil {
		text, err := g.s.dereference(part.URL)
		if err == nil {
			err = g.grow(int64(len(text)), int64(len(raw)))
		}
		return append(raw, text...), err
	}
	if part.UTF8 && !g.s.enabled.utf8 && !g.s.enabled.rev2 { // RFC 6855, 4
		return nil, bad("UTF8 is not enabled")
	}
	size := part.Literal.Size()
	if err := g.grow(size, int64(len(raw))); err != nil {
		return nil, err
	}
	from := len(raw)
	raw = append(raw, make([]byte, size)...)
	_, err := io.ReadFull(part.Literal, raw[from:])
	return raw, err
}

// readFailure tells an error of the connection, which ends the session, from others.
func (s *Session) readFailure(command string, err error) error {
	var reply *imap.Error
	if errors.As(err, &reply) || errors.Is(err, store.ErrNoMessage) {
		return s.fail(command, err)
	}
	return err
}
