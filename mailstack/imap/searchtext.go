package imap

import (
	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"

	"github.com/emersion/go-imap/v2"
)

// text looks for a text in the header and the body, or in the body alone (RFC 9051, 6.4.4), whatever its case and accents.
func (c *compiler) text(value string, body bool) matcher {
	i := len(c.needles)
	c.needles = append(c.needles, mime.NewNeedle(value, body))
	return func(m *candidate) verdict {
		if m.found == nil {
			return unknown
		}
		return of(m.found[i])
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
