package imap

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"
)

// section cuts a body section out of a message, byte for byte (RFC 9051, 6.4.5.1). What does not exist is empty.
func section(raw []byte, s *syntax.Section) []byte {
	if len(s.Part) == 0 && s.Specifier == imap.PartSpecifierNone {
		return partial(raw, s.Partial)
	}
	part, ok := mime.Find(raw, s.Part)
	if !ok {
		return nil
	}
	if s.Specifier == imap.PartSpecifierNone {
		return partial(part.Body, s.Partial)
	}
	if len(s.Part) > 0 && s.Specifier != imap.PartSpecifierMIME {
		// HEADER and TEXT of a part are those of the message that it holds.
		inner, ok := part.Embedded()
		if !ok {
			return nil
		}
		part = inner
	}
	text := part.Header
	switch {
	case s.Specifier == imap.PartSpecifierText:
		text = part.Body
	case s.NotFields:
		text = mime.Filter(part.Header, func(f mime.Field) bool { return !slices.ContainsFunc(s.Fields, f.Is) })
	case len(s.Fields) > 0:
		text = mime.Filter(part.Header, func(f mime.Field) bool { return slices.ContainsFunc(s.Fields, f.Is) })
	}
	return partial(text, s.Partial)
}

// partial applies <offset.size>; an offset beyond the end gives an empty string.
func partial(text []byte, p *imap.SectionPartial) []byte {
	if p == nil {
		return text
	}
	size := int64(len(text))
	if p.Offset < 0 || p.Size < 0 || p.Offset >= size {
		return nil
	}
	return text[p.Offset : p.Offset+min(p.Size, size-p.Offset)]
}

// binarySection is a part without its transfer encoding (RFC 3516, 4.2). Headers and texts have none of their own.
func binarySection(raw []byte, s *syntax.Section) ([]byte, error) {
	if len(s.Part) == 0 || s.Specifier != imap.PartSpecifierNone {
		whole := *s
		whole.Partial = nil
		return section(raw, &whole), nil
	}
	part, ok := mime.Find(raw, s.Part)
	if !ok {
		return nil, nil
	}
	decoded, ok := part.Decoded()
	if !ok {
		return nil, errUnknownCTE
	}
	return decoded, nil
}
