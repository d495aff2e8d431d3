package syntax

import (
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Append is APPEND (RFC 9051, section 6.3.12), of one message or many (RFC 3502). Its messages are read one by one:
//
//	a, err := ParseAppend(r)
//	for {
//		m, err := a.Next() // io.EOF after the last, when the command has been read to its end
//		...
//		for {
//			part, err := m.Part() // io.EOF after the last
//			...
//		}
//	}
//
// What is left of a part's literal is skipped as the next part or message is asked for. The caller may stop at any point:
// Reader.Discard, or the next Tag, skips the rest of the command.
type Append struct {
	Mailbox string

	reader   *wire.Reader
	messages int  // that were begun
	single   bool // a second message is not accepted
	current  Message
}

// Replace is REPLACE and UID REPLACE (RFC 8508): an Append of exactly one message.
type Replace struct {
	UID    bool
	Number uint32 // of the message to replace: its UID or sequence number, 0 for "*"
	Append
}

// Message is a message of APPEND. It is valid until the next one is asked for.
type Message struct {
	Flags    []imap.Flag
	Date     time.Time // zero if there is none
	Catenate bool      // it is put together from several parts (RFC 4469)

	reader  *wire.Reader
	parts   int           // that were begun
	literal *wire.Literal // of the last part
	utf8    bool          // the last part ends with a parenthesis
	ended   bool
}

// Part is a part of a message of APPEND; a message that is not catenated has one. Either Literal or URL is set.
type Part struct {
	Literal *wire.Literal
	UTF8    bool // it was given as UTF8 (~{...}): its header may hold UTF-8 (RFC 6855, section 4)
	URL     string
}

// ParseAppend reads the arguments of APPEND up to the first message.
func ParseAppend(r *wire.Reader) (*Append, error) {
	name, err := spMailbox(r)
	if err != nil {
		return nil, err
	}
	return &Append{Mailbox: name, reader: r}, nil
}

// ParseReplace reads the arguments of REPLACE and, with uid, UID REPLACE up to the message.
func ParseReplace(r *wire.Reader, uid bool) (*Replace, error) {
	if err := r.SP(); err != nil {
		return nil, err
	}
	replace := &Replace{UID: uid}
	if !r.Accept('*') {
		n, err := r.NZNumber()
		if err != nil {
			return nil, err
		}
		replace.Number = n
	}
	name, err := spMailbox(r)
	if err != nil {
		return nil, err
	}
	replace.Append = Append{Mailbox: name, reader: r, single: true}
	return replace, nil
}

// Next returns the next message; io.EOF at the end of the command, which has at least one.
func (a *Append) Next() (*Message, error) {
	r := a.reader
	for a.messages > 0 && !a.current.ended {
		if _, err := a.current.Part(); err != nil && err != io.EOF {
			return nil, err
		}
	}
	if a.messages > 0 && (a.single || r.Peek() != ' ') {
		if err := r.CRLF(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if err := r.Item(); err != nil {
		return nil, err
	}
	a.messages++
	a.current = Message{reader: r}
	m := &a.current
	err := r.SP()
	if err == nil && r.Peek() == '(' {
		if m.Flags, err = flagList(r); err == nil {
			err = r.SP()
		}
	}
	if err == nil && r.Peek() == '"' {
		if m.Date, err = r.DateTime(); err == nil {
			err = r.SP()
		}
	}
	if err != nil {
		return nil, err
	}
	return m, m.begin()
}

// begin takes what comes before the first part.
func (m *Message) begin() error {
	r := m.reader
	if c := r.Peek(); c == '{' || c == '~' {
		return nil
	}
	switch word := r.Keyword(); string(word) {
	case "UTF8":
		m.utf8 = true
	case "CATENATE":
		m.Catenate = true
		if err := r.SP(); err != nil {
			return err
		}
		return r.Expect('(')
	default:
		return wire.BadFound("data of message", string(word), "literal, UTF8, CATENATE")
	}
	return nil
}

// Part returns the next part; io.EOF after the last.
func (m *Message) Part() (Part, error) {
	if m.ended {
		return Part{}, io.EOF
	}
	r := m.reader
	if err := m.endPart(); err != nil {
		return Part{}, err
	}
	m.parts++
	switch {
	case !m.Catenate && m.parts > 1 || m.Catenate && m.parts > 1 && r.Accept(')'):
		m.ended = true
		return Part{}, io.EOF
	case !m.Catenate && m.utf8:
		return m.utf8Literal()
	case !m.Catenate:
		return m.openLiteral()
	}
	return m.catenated()
}

// endPart ends the part before.
func (m *Message) endPart() error {
	if m.literal == nil {
		return nil
	}
	if err := m.literal.Close(); err != nil {
		return err
	}
	m.literal = nil
	if m.utf8 {
		m.utf8 = false
		return m.reader.Expect(')')
	}
	return nil
}

// catenated takes a part of CATENATE (RFC 4469, section 5).
func (m *Message) catenated() (Part, error) {
	r := m.reader
	if m.parts > 1 {
		if err := r.SP(); err != nil {
			return Part{}, err
		}
	}
	if err := r.Item(); err != nil {
		return Part{}, err
	}
	word := string(r.Keyword())
	switch word {
	case "TEXT":
		if err := r.SP(); err != nil {
			return Part{}, err
		}
		return m.openLiteral()
	case "UTF8":
		return m.utf8Literal()
	case "URL":
		url, err := spAString(r)
		return Part{URL: url}, err
	}
	return Part{}, wire.BadFound("part of CATENATE", word, "TEXT, UTF8, URL")
}

// utf8Literal takes " (" and a literal8 (RFC 6855, section 4).
func (m *Message) utf8Literal() (Part, error) {
	r := m.reader
	if err := r.SP(); err != nil {
		return Part{}, err
	}
	if err := r.Expect('('); err != nil {
		return Part{}, err
	}
	if r.Peek() != '~' {
		return Part{}, wire.Bad("UTF8 is not followed by a binary literal")
	}
	m.utf8 = true
	part, err := m.openLiteral()
	part.UTF8 = true
	return part, err
}

func (m *Message) openLiteral() (Part, error) {
	l, err := m.reader.Literal()
	m.literal = l
	return Part{Literal: l}, err
}
