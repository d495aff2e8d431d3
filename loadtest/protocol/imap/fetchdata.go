package imap

import (
	"bytes"
	"strings"
	"time"
)

// message reads the items of a FETCH response (RFC 9051, 7.5.2). Items of no interest are passed over.
func (r *reader) message(seq uint32) *Message {
	m := &Message{Seq: seq}
	r.list(func() {
		name := r.item()
		r.space()
		switch name {
		case "UID":
			m.UID = r.nonZero()
		case "FLAGS":
			m.Flags, m.HasFlags = r.flags(), true
		case "MODSEQ":
			r.expect('(')
			m.ModSeq = r.modseq()
			r.expect(')')
		case "RFC822.SIZE":
			m.Size = int64(r.number(1<<63 - 1))
		case "INTERNALDATE":
			m.InternalDate = r.internalDate()
		case "ENVELOPE":
			r.begin()
			m.Envelope = r.envelope()
			m.Raw = r.captured()
		default:
			if !isSection(name) {
				r.skip(0)
				return
			}
			if m.Sections == nil {
				m.Sections = make(map[string][]byte, 1)
			}
			m.Sections[name] = r.nstring()
		}
	})
	return m
}

// isSection tells text from structure: BODY and BODYSTRUCTURE are lists, BINARY.SIZE[…] is a number.
func isSection(name string) bool {
	return strings.HasPrefix(name, "BODY[") || strings.HasPrefix(name, "BINARY[") ||
		name == "RFC822" || name == "RFC822.HEADER" || name == "RFC822.TEXT"
}

// item reads an item's name, in upper case, the header's fields within its brackets without quotes.
func (r *reader) item() string {
	n := 0
	for n < len(r.line) && isWord(r.line[n]) && r.line[n] != '[' {
		n++
	}
	name := upper(r.line[:n])
	r.line = r.line[n:]
	if name == "" {
		r.unexpected("an item's name")
	}
	if r.peek() != '[' {
		return name
	}
	section := append([]byte(name), '[')
	for r.accept('['); r.err == nil && !r.accept(']'); {
		switch b := r.peek(); {
		case r.atString():
			section = append(section, bytes.ToUpper(r.nstring())...)
		case b < ' ':
			r.unexpected("the end of a section")
		default:
			section = append(section, bytes.ToUpper(r.line[:1])...)
			r.line = r.line[1:]
		}
	}
	section = append(section, ']')
	if r.peek() == '<' {
		section = append(section, r.word()...)
	}
	return string(section)
}

// upper is strings.ToUpper without an allocation for the names that come all the time.
func upper(name []byte) string {
	switch string(name) {
	case "UID":
		return "UID"
	case "FLAGS":
		return "FLAGS"
	case "MODSEQ":
		return "MODSEQ"
	case "BODY":
		return "BODY"
	case "ENVELOPE":
		return "ENVELOPE"
	case "INTERNALDATE":
		return "INTERNALDATE"
	case "RFC822.SIZE":
		return "RFC822.SIZE"
	}
	return strings.ToUpper(string(name))
}

// flags reads a list of flags. The usual ones cost no memory.
func (r *reader) flags() []string {
	var flags []string
	r.list(func() { flags = append(flags, flag(r.word())) })
	return flags
}

func flag(name []byte) string {
	switch string(name) {
	case `\Seen`:
		return `\Seen`
	case `\Answered`:
		return `\Answered`
	case `\Flagged`:
		return `\Flagged`
	case `\Deleted`:
		return `\Deleted`
	case `\Draft`:
		return `\Draft`
	case `\Recent`:
		return `\Recent`
	}
	return string(name)
}

// internalDate reads " 1-Jan-2026 10:00:00 +0100", quoted; NIL is the zero time.
func (r *reader) internalDate() time.Time {
	text := r.nstring()
	if text == nil {
		return time.Time{}
	}
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", string(text))
	if err != nil {
		r.fail("the date %q", text[:min(len(text), 40)])
	}
	return t
}

func (r *reader) envelope() *Envelope {
	e := new(Envelope)
	text := func(s *string) { *s = string(r.nstring()); r.accept(' ') }
	addresses := func(a *[]Address) { *a = r.addresses(); r.accept(' ') }
	r.expect('(')
	text(&e.Date)
	text(&e.Subject)
	addresses(&e.From)
	addresses(&e.Sender)
	addresses(&e.ReplyTo)
	addresses(&e.To)
	addresses(&e.Cc)
	addresses(&e.Bcc)
	text(&e.InReplyTo)
	text(&e.MessageID)
	r.expect(')')
	return e
}

// addresses reads NIL or "((name route mailbox host)…)"; the route is obsolete and dropped.
func (r *reader) addresses() []Address {
	if r.peek() != '(' {
		if r.nstring() != nil {
			r.fail("a string instead of addresses")
		}
		return nil
	}
	var all []Address
	r.list(func() {
		var a Address
		r.expect('(')
		a.Name = string(r.nstring())
		r.space()
		r.nstring()
		r.space()
		a.Mailbox = string(r.nstring())
		r.space()
		a.Host = string(r.nstring())
		r.expect(')')
		all = append(all, a)
	})
	return all
}
