package response

import (
	"strings"
	"unicode/utf8"
)

// mailbox is mailbox of RFC 9051 section 9: INBOX in any case, or an astring in modified UTF-7 unless UTF-8 is enabled.
func (p *parser) mailbox() Node {
	start := p.pos
	n := p.astring()
	if strings.EqualFold(n.Text, "INBOX") {
		return n
	}
	if p.mode.UTF8 {
		if !utf8.ValidString(n.Text) {
			p.pos = start
			p.fail("a mailbox name in UTF-8")
		}
	} else if !validUTF7(n.Text) {
		p.pos = start
		p.fail("a mailbox name in modified UTF-7")
	}
	return n
}

// separator is DQUOTE QUOTED-CHAR DQUOTE or NIL.
func (p *parser) separator() Node {
	if p.nilValue() {
		return Node{Kind: Nil}
	}
	n := p.quoted()
	if utf8.RuneCountInString(n.Text) != 1 {
		p.fail("one character between quotes")
	}
	return n
}

// mailboxList is mailbox-list, with the extended data of RFC 5258.
func (p *parser) mailboxList(r *Response) {
	p.sp()
	flags := p.list(p.flag)
	p.sp()
	separator := p.separator()
	p.sp()
	r.Args = []Node{flags, separator, p.mailbox()}
	p.checkAttributes(flags)
	if p.end() {
		return
	}
	p.sp()
	p.char('(')
	n := Node{Kind: List}
	for !p.accept(')') {
		if len(n.List) > 0 {
			p.sp()
		}
		tag := p.astring()
		p.sp()
		n.List = append(n.List, tag, p.value())
	}
	r.Args = append(r.Args, n)
}

// checkAttributes refuses attributes that contradict each other, RFC 9051 section 7.3.1.
func (p *parser) checkAttributes(flags Node) {
	has := map[string]bool{}
	for _, f := range flags.List {
		name := strings.ToLower(f.Text)
		if !strings.HasPrefix(name, `\`) {
			p.fail("attributes that begin with a backslash")
		}
		if has[name] {
			p.fail("each attribute once")
		}
		has[name] = true
	}
	for _, pair := range [][2]string{
		{`\haschildren`, `\hasnochildren`}, {`\marked`, `\unmarked`}, {`\noinferiors`, `\haschildren`},
		{`\nonexistent`, `\marked`},
	} {
		if has[pair[0]] && has[pair[1]] {
			p.fail("no " + pair[0] + " beside " + pair[1])
		}
	}
}

// mailboxStatus is "STATUS" SP mailbox SP "(" [status-att-list] ")".
func (p *parser) mailboxStatus(r *Response) {
	p.sp()
	name := p.mailbox()
	p.sp()
	p.char('(')
	n := Node{Kind: List}
	for !p.accept(')') {
		if len(n.List) > 0 {
			p.sp()
		}
		item := p.atom()
		p.sp()
		n.List = append(n.List, item, p.statusValue(strings.ToUpper(item.Text)))
	}
	r.Args = []Node{name, n}
}

func (p *parser) statusValue(item string) Node {
	switch item {
	case "MESSAGES", "RECENT", "UNSEEN", "DELETED":
		return p.number(32)
	case "UIDNEXT", "UIDVALIDITY":
		return p.nzNumber(32)
	case "SIZE", "DELETED-STORAGE":
		return p.number(63)
	case "HIGHESTMODSEQ":
		return p.number(63)
	case "APPENDLIMIT":
		if p.nilValue() {
			return Node{Kind: Nil}
		}
		return p.number(32)
	case "MAILBOXID":
		return p.parenthesised(p.objectID)
	}
	p.fail("a known status item")
	return Node{}
}

// namespaces is namespace-response, RFC 9051 section 9.
func (p *parser) namespaces(r *Response) {
	for range 3 {
		p.sp()
		if p.nilValue() {
			r.Args = append(r.Args, Node{Kind: Nil})
			continue
		}
		p.char('(')
		all := Node{Kind: List}
		for len(all.List) == 0 || p.peek() == '(' {
			p.char('(')
			prefix := p.str()
			p.sp()
			one := Node{Kind: List, List: []Node{prefix, p.separator()}}
			for p.accept(' ') {
				one.List = append(one.List, p.str())
				p.sp()
				one.List = append(one.List, p.list1(p.str))
			}
			p.char(')')
			all.List = append(all.List, one)
		}
		p.char(')')
		r.Args = append(r.Args, all)
	}
}

// id is id-response, RFC 2971 section 4: at most 30 pairs, each field once.
func (p *parser) id(r *Response) {
	p.sp()
	if p.nilValue() {
		r.Args = []Node{{Kind: Nil}}
		return
	}
	p.char('(')
	n := Node{Kind: List}
	seen := map[string]bool{}
	for !p.accept(')') {
		if len(n.List) > 0 {
			p.sp()
		}
		field := p.str()
		p.sp()
		value := p.nstring()
		if key := strings.ToLower(field.Text); seen[key] || len(field.Text) > 30 || len(value.Text) > 1024 {
			p.fail("fields of 30 octets, each once, with values of 1024")
		} else {
			seen[key] = true
		}
		n.List = append(n.List, field, value)
	}
	if len(n.List) > 60 {
		p.fail("at most 30 fields")
	}
	r.Args = []Node{n}
}
