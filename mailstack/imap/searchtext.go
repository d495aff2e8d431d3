package imap

import (
	"bytes"
	"strings"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"

	"github.com/emersion/go-imap/v2"
)

// textKey is a BODY or TEXT key.
type textKey struct {
	value []byte // folded
	body  bool   // of the body alone
}

// text looks for a text in the header and the body, or in the body alone (RFC 9051, 6.4.4), whatever its case and accents.
func (c *compiler) text(value string, body bool) matcher {
	k := &textKey{value: mime.Fold(nil, []byte(value)), body: body}
	c.texts = append(c.texts, k)
	return func(m *candidate) verdict {
		if len(k.value) == 0 {
			return yes
		}
		if m.raw == nil {
			return unknown
		}
		if !m.folded.done {
			m.folded = foldText(m.raw)
		}
		return of(bytes.Contains(m.folded.body, k.value) || !k.body && bytes.Contains(m.folded.header, k.value))
	}
}

// narrow returns a set that all matches lie in, if the keys name one.
func (c *compiler) narrow(key syntax.SearchKey) (imap.NumSet, bool) {
	switch k := key.(type) {
	case syntax.UIDs:
		return k.Set, true
	case syntax.SeqNums:
		return k.Set, true
	case syntax.And:
		for _, child := range k {
			if set, ok := c.narrow(child); ok {
				return set, true
			}
		}
	}
	return nil, false
}

// maxSearchDepth bounds how deep SEARCH follows nested parts.
const maxSearchDepth = 30

// foldText gathers and folds the text of a message.
func foldText(raw []byte) folded {
	whole := mime.Whole(raw)
	var header, body []byte
	header = appendFields(header, whole)
	collect(&body, whole, 0)
	return folded{header: mime.Fold(nil, header), body: mime.Fold(nil, body), done: true}
}

func appendFields(b []byte, p mime.Part) []byte {
	for f := range mime.Fields(p.Header) {
		b = append(b, f.Name()...)
		b = append(b, ": "...)
		b = append(b, mime.DecodeHeader(f.Value())...)
		b = append(b, '\n')
	}
	return b
}

// collect gathers the texts of an entity: its text parts, and the headers and texts of messages inside it.
func collect(b *[]byte, p mime.Part, depth int) {
	if depth > maxSearchDepth {
		return
	}
	if strings.HasPrefix(p.ContentType().Media, "multipart/") {
		for child := range p.Parts() {
			collect(b, child, depth+1)
		}
		return
	}
	if inner, ok := p.Embedded(); ok {
		*b = appendFields(*b, inner)
		collect(b, inner, depth+1)
		return
	}
	if text, ok := p.Text(); ok {
		*b = append(append(*b, text...), '\n')
	}
}
