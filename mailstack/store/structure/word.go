package structure

import "strings"

// word is an atom, a quoted string or one of the signs "." and "@".
type word struct {
	text   string
	quoted bool
	spaced bool // white space stands before it
}

// takeWord takes an atom, a quoted string, a domain literal or a sign.
func (p *addressParser) takeWord() word {
	w := word{spaced: p.i > 0 && strings.IndexByte(" \t\r\n)", p.s[p.i-1]) >= 0}
	start := p.i
	switch p.s[p.i] {
	case '"':
		w.text, w.quoted = p.takeQuoted(), true
		return w
	case '[':
		if i := strings.IndexByte(p.s[p.i:], ']'); i > 0 {
			p.i += i + 1
			w.text = p.s[start:p.i]
			return w
		}
		p.i++
	case '@', '.', ')', ']', '>', '\\':
		p.i++
	default:
		for p.i < len(p.s) && strings.IndexByte(" \t\r\n,;:()<>@.\"[]\\", p.s[p.i]) < 0 {
			p.i++
		}
	}
	w.text = p.s[start:p.i]
	return w
}

// takeQuoted returns the content of a quoted string, its backslashes taken off.
func (p *addressParser) takeQuoted() string {
	if i := strings.IndexAny(p.s[p.i+1:], `"\`); i >= 0 && p.s[p.i+1+i] == '"' { // it has no backslashes
		text := p.s[p.i+1 : p.i+1+i]
		p.i += i + 2
		return text
	}
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			b.WriteByte(p.s[p.i])
		case c == '"':
			p.i++
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (p *addressParser) clear() {
	p.words, p.comment, p.angle, p.angled = p.words[:0], "", "", false
}

// joined tells whether two words are of one address: around a dot white space may stand (RFC 5322, 4.4).
func joined(a, b word) bool {
	return !b.spaced || !a.quoted && a.text == "." || !b.quoted && b.text == "."
}

// phrase joins words as they were, with single spaces.
func phrase(words []word) string {
	if len(words) == 1 {
		return words[0].text
	}
	var b strings.Builder
	for i, w := range words {
		if i > 0 && (w.spaced || w.quoted || words[i-1].quoted) {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// spec divides the words of an address at the last "@".
func spec(words []word) (mailbox, host string) {
	for i := len(words) - 1; i >= 0; i-- {
		if words[i].text == "@" && !words[i].quoted {
			return join(words[:i]), join(words[i+1:])
		}
	}
	return join(words), ""
}

// join puts words together without spaces.
func join(words []word) string {
	if len(words) == 1 {
		return words[0].text
	}
	size := 0
	for _, w := range words {
		size += len(w.text)
	}
	var b strings.Builder
	b.Grow(size)
	for _, w := range words {
		b.WriteString(w.text)
	}
	return b.String()
}
