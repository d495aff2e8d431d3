package syntax

import (
	"math"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// maxPartDepth bounds the numbers of a part: no message is nested deeper than it is parsed.
const maxPartDepth = 64

// sectionSpec takes a section specification after its opening bracket, and the closing one (RFC 9051, section 6.4.5.1).
func sectionSpec(r *wire.Reader) (*Section, error) {
	word := string(r.Keyword())
	s := new(Section)
	for word != "" && '0' <= word[0] && word[0] <= '9' {
		var number string
		var more bool
		number, word, more = strings.Cut(word, ".")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || number[0] == '0' || len(s.Part) == maxPartDepth || more && word == "" {
			return nil, wire.Bad("number of part is malformed")
		}
		s.Part = append(s.Part, int(n))
	}
	if err := s.specify(r, word); err != nil {
		return nil, err
	}
	return s, r.Expect(']')
}

// specify sets what of the part is meant.
func (s *Section) specify(r *wire.Reader, word string) (err error) {
	switch word {
	case "":
	case "HEADER", "TEXT":
		s.Specifier = imap.PartSpecifier(word)
	case "MIME":
		if len(s.Part) == 0 {
			return wire.Bad("MIME is without a part")
		}
		s.Specifier = imap.PartSpecifierMIME
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		s.Specifier = imap.PartSpecifierHeader
		s.NotFields = word == "HEADER.FIELDS.NOT"
		if err = r.SP(); err != nil {
			return err
		}
		err = r.List(func() error {
			name, err := r.AString()
			s.Fields = append(s.Fields, name)
			return err
		})
		if err == nil && len(s.Fields) == 0 {
			err = wire.Bad("list of header fields is empty")
		}
	default:
		err = wire.BadFound("section", word, "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, MIME, TEXT, or numbers")
	}
	return err
}

// partial takes "<offset.size>" or "<offset>" if that is next.
func (s *Section) partial(r *wire.Reader) error {
	if !r.Accept('<') {
		return nil
	}
	offset, err := r.Number64()
	if err != nil {
		return err
	}
	size := uint64(math.MaxInt64) // without it, the rest: clients use that
	if r.Accept('.') {
		if size, err = r.Number64(); err != nil {
			return err
		}
		if size == 0 {
			return wire.Bad("size of partial is zero")
		}
	}
	// The end of the range must be a number too.
	s.Partial = &imap.SectionPartial{Offset: int64(offset), Size: int64(min(size, math.MaxInt64-offset))}
	return r.Expect('>')
}

// WriteSection writes the section of an item of FETCH in brackets and, if a range was asked for, where it begins
// (RFC 9051, section 7.5.2).
func WriteSection(w *wire.Writer, s *Section) {
	w.Byte('[')
	s.write(w)
	w.Byte(']')
	if s.Partial != nil {
		w.Byte('<')
		w.Number(uint64(s.Partial.Offset))
		w.Byte('>')
	}
}

func (s *Section) write(w *wire.Writer) {
	for i, n := range s.Part {
		if i > 0 {
			w.Byte('.')
		}
		w.Number(uint64(n))
	}
	if s.Specifier == imap.PartSpecifierNone {
		return
	}
	if len(s.Part) > 0 {
		w.Byte('.')
	}
	w.Raw(string(s.Specifier))
	if len(s.Fields) == 0 {
		return
	}
	w.Raw(".FIELDS")
	if s.NotFields {
		w.Raw(".NOT")
	}
	separator := " ("
	for _, name := range s.Fields {
		w.Raw(separator)
		separator = " "
		w.AString(name)
	}
	w.Byte(')')
}
