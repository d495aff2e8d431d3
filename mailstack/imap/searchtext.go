package imap

import (
	"slices"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mime"

	"github.com/emersion/go-imap/v2"
)

// text looks for a text in the header and the body, or in the body alone (RFC 9051, 6.4.4), whatever its case and accents.
func (c *compiler) text(value string, body bool) matcher {
	i := len(c.needles)
	c.needles = append(c.needles, mime.NewNeedle(value, body))
	return func(m *candidate) verdict {
		switch {
		case m.found != nil:
			return of(m.found[i])
		case m.lacks != nil && m.lacks[i]:
			return no_
		}
		return unknown
	}
}

// skip takes out of messages those that need not be read, because the index of texts rules them out.
func (f *finder) skip(messages []candidate) []candidate {
	if len(f.needles) == 0 || f.s.server.options.Indexes == nil {
		return messages
	}
	if f.index == nil {
		f.index = f.s.server.options.Indexes.Search(int64(f.s.selected.box.Account), f.needles)
	}
	for i := range messages {
		if m := &messages[i]; f.match(m) == unknown {
			m.lacks = make([]bool, len(f.needles))
			f.index.Lacks(int64(m.Content), m.lacks)
		}
	}
	return slices.DeleteFunc(messages, func(m candidate) bool { return f.match(&m) == no_ })
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
