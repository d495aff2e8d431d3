package imap

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

// section cuts a body section out of a message, byte for byte (RFC 9051, 6.4.5.1). What does not exist is empty.
func section(raw []byte, item *imap.FetchItemBodySection) []byte {
	if len(item.Part) == 0 && item.Specifier == imap.PartSpecifierNone {
		return partial(raw, item.Partial)
	}
	part, ok := mime.Find(raw, item.Part)
	if !ok {
		return nil
	}
	if item.Specifier == imap.PartSpecifierNone {
		return partial(part.Body, item.Partial)
	}
	if len(item.Part) > 0 && item.Specifier != imap.PartSpecifierMIME {
		if inner, ok := part.Embedded(); ok {
			part = inner
		}
	}
	text := part.Header
	switch {
	case item.Specifier == imap.PartSpecifierText:
		text = part.Body
	case len(item.HeaderFields) > 0:
		text = mime.Filter(part.Header, func(f mime.Field) bool { return named(item.HeaderFields, f) })
	case len(item.HeaderFieldsNot) > 0:
		text = mime.Filter(part.Header, func(f mime.Field) bool { return !named(item.HeaderFieldsNot, f) })
	}
	return partial(text, item.Partial)
}

func named(names []string, f mime.Field) bool {
	return slices.ContainsFunc(names, f.Is)
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

// binarySection is a part without its transfer encoding (RFC 3516, 4.2).
func binarySection(raw []byte, path []int) ([]byte, error) {
	if len(path) == 0 {
		return raw, nil
	}
	part, ok := mime.Find(raw, path)
	if !ok {
		return nil, nil
	}
	decoded, ok := part.Decoded()
	if !ok {
		return nil, no(imap.ResponseCodeUnknownCTE, "The transfer encoding of this part is not known")
	}
	return decoded, nil
}
