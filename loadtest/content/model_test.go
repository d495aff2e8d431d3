package content

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gouv.tg/messagerie/loadtest/protocol/imap"
)

// The model is an IMAP server with one mailbox that is as unkind as the RFCs allow: what it says arrives late, updates for other
// sessions wait as long as it likes and may come after newer data, expunged messages stay in a session's view until it is told.

type stored struct {
	uid     uint32
	flags   map[string]bool
	modseq  uint64
	raw     []byte
	date    time.Time
	subject string // replaces that of the header
}

func (s *stored) list() []string { return slices.Sorted(maps.Keys(s.flags)) }

type server struct {
	rng      *rand.Rand
	account  string
	validity uint32
	next     uint32
	modseq   uint64
	messages []*stored
	sessions []*session

	fault  string // injected once, where it may be
	broken int    // how often it was
}

func newServer(rng *rand.Rand, account string) *server {
	return &server{rng: rng, account: account, validity: 7, next: 1, modseq: 1}
}

// inject says whether a fault is to happen now.
func (s *server) inject(fault string) bool {
	if s.fault == fault && s.broken == 0 && s.rng.IntN(3) == 0 {
		s.broken++
		return true
	}
	return false
}

func (s *server) deliver(raw []byte, flags ...string) {
	if s.inject(Lost) {
		return
	}
	s.append(raw, flags...)
	if s.inject(Doubled) {
		s.append(raw, flags...)
	}
}

func (s *server) append(raw []byte, flags ...string) {
	s.modseq++
	m := &stored{uid: s.next, modseq: s.modseq, raw: raw, date: time.Unix(int64(1700000000+s.next), 0), flags: map[string]bool{}}
	for _, flag := range flags {
		m.flags[flag] = true
	}
	if len(s.messages) > 0 && s.inject(UID) {
		m.uid = s.messages[len(s.messages)-1].uid
	} else {
		s.next++
	}
	s.messages = append(s.messages, m)
	for _, c := range s.sessions {
		c.pending = append(c.pending, update{arrived: m})
	}
}

func (s *server) find(uid uint32) *stored {
	for _, m := range s.messages {
		if m.uid == uid {
			return m
		}
	}
	return nil
}

func (s *server) changed(m *stored, by *session) {
	for _, c := range s.sessions {
		if c != by {
			c.pending = append(c.pending, update{flags: &imap.Message{UID: m.uid, Flags: m.list(), HasFlags: true, ModSeq: m.modseq}})
		}
	}
}

func (s *server) expunge(m *stored, silently bool) {
	s.modseq++
	s.messages = slices.DeleteFunc(s.messages, func(other *stored) bool { return other == m })
	for _, c := range s.sessions {
		if silently {
			c.view = slices.DeleteFunc(c.view, func(other *stored) bool { return other == m })
		} else {
			c.pending = append(c.pending, update{expunged: m})
		}
	}
}

// update waits to be told; one of its fields is set.
type update struct {
	arrived, expunged *stored
	flags             *imap.Message
}

// session is both ends of a connection. What the server says waits on the wire until the client reads it.
type session struct {
	server   *server
	mirror   *Mirror
	qresync  bool
	silent   bool
	view     []*stored
	pending  []update
	wire     []func()
	command  func() // sent, not yet processed
	answered bool   // nothing is in flight
}

// dial begins a session: the mirror is made, the server answers later.
func (s *server) dial(r *Run) *session {
	c := &session{server: s, qresync: s.rng.IntN(2) == 0, silent: s.rng.IntN(4) == 0}
	c.mirror = r.Mirror(s.account, "INBOX", func() []string { return []string{"S: * OK"} })
	c.command = func() {
		c.view = slices.Clone(s.messages)
		s.sessions = append(s.sessions, c)
		if c.mirror.box.validity != 0 && s.inject(UIDValidity) {
			s.validity++
		}
		selected := imap.Selected{Exists: uint32(len(c.view)), UIDValidity: s.validity, UIDNext: s.next, HighestModSeq: s.modseq}
		c.say(func() { c.mirror.Selected(selected) })
		c.say(func() { c.answered = true })
	}
	return c
}

func (c *session) say(one func()) { c.wire = append(c.wire, one) }

// read takes up to n responses off the wire.
func (c *session) read(n int) {
	for ; n > 0 && len(c.wire) > 0; n-- {
		one := c.wire[0]
		c.wire = c.wire[1:]
		one()
	}
}

// process lets the server work on the command.
func (c *session) process() {
	if c.command != nil {
		command := c.command
		c.command = nil
		command()
	}
}

func (c *session) seq(m *stored) uint32 { return uint32(slices.Index(c.view, m) + 1) }

// tell says up to n pending updates, in order; expunges only where sequence numbers may change.
func (c *session) tell(n int, expunges bool) {
	for ; n > 0 && len(c.pending) > 0; n-- {
		u := c.pending[0]
		if u.expunged != nil && !expunges {
			return
		}
		c.pending = c.pending[1:]
		switch {
		case u.arrived != nil:
			c.view = append(c.view, u.arrived)
			n := uint32(len(c.view))
			c.say(func() { c.mirror.Exists(n) })
		case u.expunged != nil:
			seq := c.seq(u.expunged)
			c.view = slices.Delete(c.view, int(seq)-1, int(seq))
			if uid := u.expunged.uid; c.qresync {
				c.say(func() { c.mirror.Vanished([]imap.UIDRange{{First: uid, Last: uid}}, false) })
			} else {
				c.say(func() { c.mirror.Expunge(seq) })
			}
		default:
			i := slices.IndexFunc(c.view, func(m *stored) bool { return m.uid == u.flags.UID })
			if i >= 0 {
				f := *u.flags
				f.Seq = uint32(i + 1)
				c.say(func() { c.mirror.Fetch(&f) })
			}
		}
	}
}

// noop tells everything.
func (c *session) noop() {
	c.command = func() {
		c.tell(len(c.pending), true)
		c.say(func() { c.answered = true })
	}
	c.answered = false
}

// fetch asks for items of all messages, or of some; got is called with the responses.
func (c *session) fetch(items string, got func(*imap.Message)) {
	c.fetchFrom(uint32(1+c.server.rng.IntN(3)), items, got)
}

func (c *session) fetchFrom(from uint32, items string, got func(*imap.Message)) {
	c.answered = false
	done := c.mirror.Fetching(fmt.Sprintf("%d:*", from), true)
	c.command = func() {
		if c.server.rng.IntN(2) == 0 {
			c.tell(c.server.rng.IntN(4), false)
		}
		for i, m := range c.view {
			if m.uid < from || !slices.Contains(c.server.messages, m) {
				continue
			}
			f := c.server.response(m, items)
			f.Seq = uint32(i + 1)
			c.say(func() {
				c.mirror.Fetch(f)
				if got != nil {
					got(f)
				}
			})
		}
		c.tell(c.server.rng.IntN(4), false)
		c.say(func() { done(); c.answered = true })
	}
}

func (s *server) response(m *stored, items string) *imap.Message {
	f := &imap.Message{UID: m.uid}
	for item := range strings.FieldsSeq(items) {
		switch item {
		case "FLAGS":
			f.Flags, f.HasFlags, f.ModSeq = append(m.list(), `\Recent`), true, m.modseq
		case "ALL":
			f.InternalDate, f.Size = m.date, int64(len(m.raw))
			f.Envelope = envelopeOf(m.raw)
			if madeHere(m.raw) && s.inject(Envelope) {
				m.subject = "Autre chose"
			}
			if m.subject != "" {
				f.Envelope.Subject = m.subject
			}
		case "BODY[]":
			raw := bytes.Clone(m.raw)
			if _, at, ours := headerLine(raw, TokenHeader); ours && s.inject(Flipped) {
				raw[at+s.rng.IntN(len(raw)-at)] ^= 1 << s.rng.IntN(8)
			}
			f.Sections = map[string][]byte{"BODY[]": raw}
		case "TOKEN":
			line, at, found := headerLine(m.raw, TokenHeader)
			section := []byte("\r\n")
			if found {
				section = append(bytes.Clone(m.raw[at:at+len(TokenHeader)+1+len(line)]), "\r\n\r\n"...)
			}
			f.Sections = map[string][]byte{"BODY[HEADER.FIELDS (X-LOAD-TOKEN)]": section}
		}
	}
	return f
}

func envelopeOf(raw []byte) *imap.Envelope {
	text := func(name string) string {
		line, _, _ := headerLine(raw, name)
		return strings.TrimSpace(strings.ReplaceAll(string(line), "\r\n", ""))
	}
	list := func(name string) (all []imap.Address) {
		for address := range strings.SplitSeq(text(name), ",") {
			local, host, _ := strings.Cut(strings.TrimSpace(address), "@")
			all = append(all, imap.Address{Mailbox: local, Host: host})
		}
		return all
	}
	return &imap.Envelope{Date: text("Date"), Subject: text("Subject"), MessageID: text("Message-ID"), InReplyTo: text("In-Reply-To"),
		From: list("From"), To: list("To")}
}

// store changes a flag of one message; outcome 0 is OK, 1 NO, 2 a connection that dies after it was sent.
func (c *session) store(uid uint32, flag string, add bool, outcome int) {
	c.answered = false
	done := c.mirror.Storing([]uint32{uid}, []string{flag}, add)
	c.command = func() {
		s := c.server
		c.tell(s.rng.IntN(3), false)
		m := s.find(uid)
		if outcome != 1 && m != nil && slices.Contains(c.view, m) && m.flags[flag] != add {
			if !s.inject(Flag) {
				s.apply(m, flag, add)
			} else {
				s.modseq++
				m.modseq = s.modseq
			}
			s.changed(m, c)
			if !c.silent {
				f := s.response(m, "FLAGS")
				f.Seq = c.seq(m)
				c.say(func() { c.mirror.Fetch(f) })
			}
		}
		c.tell(s.rng.IntN(3), false)
		c.say(func() { done(outcome == 0); c.answered = true })
	}
}

func (s *server) apply(m *stored, flag string, add bool) {
	switch {
	case !s.inject(ModSeq):
		s.modseq++
		m.modseq = s.modseq
	case s.rng.IntN(2) == 0 && m.modseq > 1:
		m.modseq--
	}
	if add {
		m.flags[flag] = true
	} else {
		delete(m.flags, flag)
	}
}

// remove expunges a message that has \Deleted, on another session's command if by is nil.
func (c *session) remove(uid uint32) {
	c.answered = false
	c.mirror.Deleted(uid)
	c.command = func() {
		if m := c.server.find(uid); m != nil && m.flags[`\Deleted`] {
			c.server.expunge(m, false)
		}
		c.tell(len(c.pending), true)
		c.say(func() { c.answered = true })
	}
}

// quiet brings a session up to date.
func (c *session) quiet() {
	c.process()
	c.read(len(c.wire))
	c.noop()
	c.process()
	c.read(len(c.wire))
	c.fetchFrom(1, "FLAGS", nil)
	c.process()
	c.read(len(c.wire))
}
