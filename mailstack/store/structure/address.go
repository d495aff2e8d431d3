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
