package structure

import "strings"

// address is an address as its field writes it (RFC 9051, 7.5.2). One that has only a Mailbox begins a group of that name; one
// that has nothing ends it.
type address struct{ Name, Route, Mailbox, Host string }

// missingHost stands for the host of an address that has none: an empty one would make a group of it (RFC 9051, 7.5.2).
const missingHost = "MISSING_DOMAIN"

// parseAddresses reads an address list (RFC 5322, 3.4 and 4.4) as far as it makes sense. A group becomes an entry with
// its name as mailbox and no host, its members, and an empty entry (RFC 9051, 7.5.2). Encoded words are left as they are.
func parseAddresses(s string) []address {
	p := addressParser{s: s}
	for p.i < len(p.s) && len(p.list) < maxAddresses {
		p.next()
	}
	p.finish()
	if p.group {
		p.list = append(p.list, address{})
	}
	return p.list
}

// addressParser gathers the words of one mailbox until a comma or a semicolon ends it.
type addressParser struct {
	s       string
	i       int
	words   []word
	comment string
	angle   string // what was between < and >
	angled  bool
	group   bool
	list    []address
}

// word is an atom, a quoted string or one of the signs "." and "@".
type word struct {
	text   string
	quoted bool
	spaced bool // white space stands before it
}

// next takes one token.
func (p *addressParser) next() {
	switch c := p.s[p.i]; c {
	case ' ', '\t', '\r', '\n':
		p.i++
	case ',':
		p.i++
		p.finish()
	case ';':
		p.i++
		p.finish()
		if p.group {
			p.list = append(p.list, address{})
			p.group = false
		}
	case ':':
		p.i++
		if name := phrase(p.words); !p.group && !p.angled {
			p.list = append(p.list, address{Mailbox: name})
			p.group = true
		}
		p.clear()
	case '(':
		p.comment = p.takeComment()
	case '<':
		p.takeAngle()
	default:
		if p.words == nil {
			p.words = make([]word, 0, 8) // a.b@c.test is seven
		}
		p.words = append(p.words, p.takeWord())
	}
}

// takeComment returns a comment's text; comments may hold comments (RFC 5322, 3.2.2).
func (p *addressParser) takeComment() string {
	var b strings.Builder
	depth := 0
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			b.WriteByte(p.s[p.i])
		case c == '(':
			if depth++; depth > 1 {
				b.WriteByte(c)
			}
		case c == ')':
			if depth--; depth == 0 {
				p.i++
				return strings.TrimSpace(b.String())
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// takeAngle takes what is in angle brackets; a quoted string there may hold one (RFC 5322, 3.4.1).
func (p *addressParser) takeAngle() {
	start, quoted := p.i+1, false
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '\\' && quoted && p.i+1 < len(p.s):
			p.i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			p.angle, p.angled = p.s[start:p.i], true
			p.i++
			return
		case c == ',' && !quoted && start < p.i && p.s[start] != '@': // no bracket closes it; routes have commas
			p.angle, p.angled = p.s[start:p.i], true
			return
		}
	}
	p.angle, p.angled = p.s[start:], true
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

// finish ends a mailbox.
func (p *addressParser) finish() {
	defer p.clear()
	if len(p.list) >= maxAddresses {
		return
	}
	var a address
	switch {
	case p.angled:
		a.Name = phrase(p.words)
		inner := addressParser{s: p.angle, words: p.words[:0]}
		if strings.HasPrefix(strings.TrimSpace(p.angle), "@") { // a route (RFC 5322, 4.4)
			a.Route, inner.s, _ = strings.Cut(p.angle, ":")
			a.Route = strings.TrimSpace(a.Route)
		}
		for inner.i < len(inner.s) {
			switch inner.s[inner.i] {
			case ' ', '\t', '\r', '\n', ',', ';', ':', '<':
				inner.i++
			case '(':
				inner.takeComment()
			default:
				inner.words = append(inner.words, inner.takeWord())
			}
		}
		p.words = inner.words
		a.Mailbox, a.Host = spec(inner.words)
	case len(p.words) > 0:
		words := p.words
		// Words before the address, without brackets around it, are a name.
		for i, w := range words {
			if w.text == "@" && !w.quoted {
				begin := i
				for begin > 0 && (begin == i || joined(words[begin-1], words[begin])) {
					begin--
				}
				a.Name, words = phrase(words[:begin]), words[begin:]
				break
			}
		}
		a.Mailbox, a.Host = spec(words)
	}
	if a.Mailbox == "" && a.Host == "" {
		return
	}
	if a.Host == "" {
		a.Host = missingHost
	}
	if a.Name == "" {
		a.Name = p.comment // as it was usual once: user@host (Name)
	}
	p.list = append(p.list, a)
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
