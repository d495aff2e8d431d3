package structure

import (
	"errors"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

// errText reports text that Compute has not written.
var errText = errors.New("text of an item is damaged")

// ParseEnvelope reads Message.Envelope for those who search and sort: encoded words are decoded, all text is UTF-8. It has no
// In-Reply-To and no Message-ID.
func ParseEnvelope(text []byte) (*imap.Envelope, error) {
	s := scanner{text: text}
	e := new(imap.Envelope)
	s.expect('(')
	e.Date = parseDate(s.nstring())
	s.expect(' ')
	e.Subject = mime.DecodeHeader(s.nstring())
	for _, list := range [...]*[]imap.Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc} {
		s.expect(' ')
		*list = s.addresses()
	}
	if s.err != nil {
		return nil, s.err
	}
	return e, nil
}

// AppendBody appends what FETCH BODY shows of Message.Structure: the same without extension data (RFC 9051, 7.5.2).
func AppendBody(dst, text []byte) ([]byte, error) {
	s := scanner{text: text}
	dst = s.body(dst, 0)
	if s.err == nil && s.at != len(text) {
		s.err = errText
	}
	return dst, s.err
}

// scanner reads the text of items. After its first error it reads nothing more.
type scanner struct {
	text []byte
	at   int
	err  error
}

func (s *scanner) peek() byte {
	if s.err != nil || s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) fail() {
	if s.err == nil {
		s.err = errText
	}
}

func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.fail()
		return
	}
	s.at++
}

// nstring reads a string; NIL is empty.
func (s *scanner) nstring() string {
	switch s.peek() {
	case '"':
		var b strings.Builder
		for s.at++; s.at < len(s.text); s.at++ {
			switch c := s.text[s.at]; {
			case c == '"':
				s.at++
				return b.String()
			case c == '\\' && s.at+1 < len(s.text):
				s.at++
				b.WriteByte(s.text[s.at])
			default:
				b.WriteByte(c)
			}
		}
	case '{':
		head, _, ok := strings.Cut(string(s.text[s.at+1:min(len(s.text), s.at+24)]), "}\r\n")
		n, err := strconv.Atoi(head)
		begin := s.at + 1 + len(head) + len("}\r\n")
		if ok && err == nil && n >= 0 && n <= len(s.text)-begin {
			s.at = begin + n
			return string(s.text[begin:s.at])
		}
	case 'N':
		if strings.HasPrefix(string(s.text[s.at:min(len(s.text), s.at+3)]), "NIL") {
			s.at += len("NIL")
			return ""
		}
	}
	s.fail()
	return ""
}

func (s *scanner) addresses() []imap.Address {
	if s.peek() == 'N' {
		s.nstring()
		return nil
	}
	var list []imap.Address
	s.expect('(')
	for s.peek() == '(' {
		s.at++
		var a imap.Address
		a.Name = mime.DecodeHeader(s.nstring())
		s.expect(' ')
		s.nstring() // the route
		s.expect(' ')
		a.Mailbox = mime.DecodeHeader(s.nstring())
		s.expect(' ')
		a.Host = s.nstring()
		s.expect(')')
		list = append(list, a)
	}
	s.expect(')')
	return list
}

// skip passes over one value.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '"' || c == '{' || c == 'N':
		s.nstring()
	case '0' <= c && c <= '9':
		for '0' <= s.peek() && s.peek() <= '9' {
			s.at++
		}
	case c == '(':
		s.list()
	default:
		s.fail()
	}
}

// list passes over a list, with the lists in it.
func (s *scanner) list() {
	for depth := 0; s.err == nil; {
		switch s.peek() {
		case '(':
			depth++
			s.at++
		case ')':
			depth--
			s.at++
		case ' ':
			s.at++
		default:
			s.skip()
		}
		if depth == 0 {
			return
		}
	}
}

// copies appends a space and the next value.
func (s *scanner) copies(dst []byte, values int) []byte {
	for range values {
		s.expect(' ')
		begin := s.at
		if s.skip(); s.err == nil {
			dst = append(append(dst, ' '), s.text[begin:s.at]...)
		}
	}
	return dst
}

// body appends one body without its extension data.
func (s *scanner) body(dst []byte, depth int) []byte {
	if depth > maxDepth+1 {
		s.fail()
		return dst
	}
	s.expect('(')
	dst = append(dst, '(')
	if s.peek() == '(' {
		for s.peek() == '(' {
			dst = s.body(dst, depth+1)
		}
		dst = s.copies(dst, 1)
	} else {
		dst = s.single(dst, depth)
	}
	for s.err == nil && s.peek() == ' ' { // extension data
		s.at++
		s.skip()
	}
	s.expect(')')
	return append(dst, ')')
}

// single appends what is not extension data of a body that is no multipart.
func (s *scanner) single(dst []byte, depth int) []byte {
	begin := s.at
	typ := s.nstring()
	dst = append(dst, s.text[min(begin, len(s.text)):min(s.at, len(s.text))]...)
	from := len(dst)
	dst = s.copies(dst, 1)
	media := typ + "/" + strings.Trim(string(dst[from:]), ` "`)
	dst = s.copies(dst, 5)
	switch {
	case isMessage(media):
		dst = s.copies(dst, 1)
		s.expect(' ')
		dst = s.body(append(dst, ' '), depth+1)
		dst = s.copies(dst, 1)
	case typ == "text":
		dst = s.copies(dst, 1)
	}
	return dst
}
