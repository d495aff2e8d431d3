package response

import (
	"regexp"
	"strings"
)

// fetchItems is msg-att: "(" item *(SP item) ")" as a list of names in canonical form and values.
func (p *parser) fetchItems() Node {
	p.char('(')
	n := Node{Kind: List}
	seen := map[string]bool{}
	for {
		name := p.itemName()
		if seen[name] {
			p.fail("each item once: " + name + " is given twice")
		}
		seen[name] = true
		p.sp()
		n.List = append(n.List, Node{Text: name}, p.itemValue(name))
		if p.accept(')') {
			return n
		}
		p.sp()
	}
}

// itemName reads the name of an item with its section and origin: BODY[1.HEADER.FIELDS (TO)]<0>.
func (p *parser) itemName() string {
	name := strings.ToUpper(p.while("an item's name", func(c byte) bool { return isAtomChar(c) && c != '[' }))
	if !p.accept('[') {
		return name
	}
	switch name {
	case "BODY":
		name += "[" + p.section() + "]"
	case "BINARY", "BINARY.SIZE":
		// RFC 3516 has parts only; Dovecot and the suites that follow it know every section of BODY.
		name += "[" + p.section() + "]"
	default:
		p.fail("BODY or BINARY before a section")
	}
	p.char(']')
	if p.accept('<') {
		if name == "BINARY.SIZE" {
			p.fail("no origin")
		}
		name += "<" + p.number(63).Text + ">" // a request has number64, RFC 9051 section 9 (partial-range)
		p.char('>')
	}
	return name
}

// section is section-spec, RFC 9051 section 9.
func (p *parser) section() string {
	if p.peek() == ']' {
		return ""
	}
	prefix := ""
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		prefix += p.nzNumber(32).Text
		if !p.accept('.') {
			return prefix
		}
		prefix += "."
	}
	for _, w := range []string{"HEADER.FIELDS.NOT", "HEADER.FIELDS"} {
		if p.word(w) {
			p.sp()
			names := p.list1(p.astring)
			text := make([]string, len(names.List))
			for i, name := range names.List {
				text[i] = strings.ToUpper(name.Text)
			}
			return prefix + w + " (" + strings.Join(text, " ") + ")"
		}
	}
	for _, w := range []string{"HEADER", "TEXT", "MIME"} {
		if p.word(w) {
			if w == "MIME" && prefix == "" {
				p.fail("no MIME without a part")
			}
			return prefix + w
		}
	}
	p.fail("a section")
	return ""
}

var dateTime = regexp.MustCompile(`^( \d|\d\d)-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}$`)

func (p *parser) dateTime() Node {
	start := p.pos
	n := p.quoted()
	if !dateTime.MatchString(n.Text) {
		p.pos = start
		p.fail(`a date-time as in "17-Jul-1996 02:44:25 -0700"`)
	}
	return n
}

func (p *parser) itemValue(name string) Node {
	switch name {
	case "FLAGS":
		n := p.list(p.flag)
		seen := map[string]bool{}
		for _, f := range n.List {
			if key := strings.ToLower(f.Text); seen[key] {
				p.fail("each flag once")
			} else {
				seen[key] = true
			}
			if p.mode.Rev2 && strings.EqualFold(f.Text, `\Recent`) {
				p.fail(`no \Recent after ENABLE IMAP4rev2`)
			}
		}
		return n
	case "ENVELOPE":
		return p.envelope()
	case "INTERNALDATE":
		return p.dateTime()
	case "SAVEDATE":
		if p.nilValue() {
			return Node{Kind: Nil}
		}
		return p.dateTime()
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT", "PREVIEW":
		return p.nstring()
	case "RFC822.SIZE":
		return p.number(63)
	case "BODY":
		return p.body(false, 0)
	case "BODYSTRUCTURE":
		return p.body(true, 0)
	case "UID":
		return p.nzNumber(32)
	case "MODSEQ":
		return p.parenthesised(p.modSeq)
	case "EMAILID":
		return p.parenthesised(p.objectID)
	case "THREADID":
		if p.nilValue() {
			return Node{Kind: Nil}
		}
		return p.parenthesised(p.objectID)
	}
	switch {
	case strings.HasPrefix(name, "BODY["):
		return p.nstring()
	case strings.HasPrefix(name, "BINARY["):
		return p.nstring8()
	case strings.HasPrefix(name, "BINARY.SIZE["):
		return p.number(32)
	}
	p.fail("a known item: " + name + " is none")
	return Node{}
}
