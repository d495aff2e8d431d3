package response

import "strings"

const maxDepth = 200

// envelope is ten values, RFC 9051 section 7.5.2.
func (p *parser) envelope() Node {
	p.char('(')
	n := Node{Kind: List}
	for i := range 10 {
		if i > 0 {
			p.sp()
		}
		if i >= 2 && i <= 7 {
			n.List = append(n.List, p.addresses())
		} else {
			n.List = append(n.List, p.nstring())
		}
	}
	p.char(')')
	return n
}

// addresses is "(" 1*address ")" without spaces between addresses, or NIL.
func (p *parser) addresses() Node {
	if p.nilValue() {
		return Node{Kind: Nil}
	}
	p.char('(')
	n := Node{Kind: List}
	for len(n.List) == 0 || p.peek() == '(' {
		p.char('(')
		address := Node{Kind: List}
		for i := range 4 {
			if i > 0 {
				p.sp()
			}
			address.List = append(address.List, p.nstring())
		}
		p.char(')')
		// A NIL host is group syntax: a start has a mailbox, an end has none and no name.
		if host, mailbox := address.List[3], address.List[2]; mailbox.Kind == Nil && host.Kind != Nil {
			p.fail("no host without a mailbox")
		}
		n.List = append(n.List, address)
	}
	p.char(')')
	return n
}

// body is body of RFC 9051 section 9. Only BODYSTRUCTURE has extension data.
func (p *parser) body(extended bool, depth int) Node {
	if depth > maxDepth {
		p.fail("a body of bearable depth")
	}
	p.char('(')
	n := Node{Kind: List}
	if p.peek() == '(' {
		for p.peek() == '(' {
			n.List = append(n.List, p.body(extended, depth+1))
		}
		p.sp()
		n.List = append(n.List, p.str())
		if extended && p.accept(' ') {
			n.List = append(n.List, p.parameters())
			p.extension(&n)
		}
		p.char(')')
		return n
	}
	kind := p.str()
	p.sp()
	subtype := p.str()
	p.sp()
	n.List = append(n.List, kind, subtype, p.parameters())
	p.sp()
	n.List = append(n.List, p.nstring()) // id
	p.sp()
	n.List = append(n.List, p.nstring()) // description
	p.sp()
	n.List = append(n.List, p.str()) // encoding
	p.sp()
	n.List = append(n.List, p.number(32)) // octets
	if strings.EqualFold(kind.Text, "TEXT") {
		p.sp()
		n.List = append(n.List, p.number(63)) // lines
	}
	if strings.EqualFold(kind.Text, "MESSAGE") && (strings.EqualFold(subtype.Text, "RFC822") || p.peekEnvelope()) {
		p.sp()
		n.List = append(n.List, p.envelope())
		p.sp()
		n.List = append(n.List, p.body(extended, depth+1))
		p.sp()
		n.List = append(n.List, p.number(63))
	}
	if extended && p.accept(' ') {
		n.List = append(n.List, p.nstring()) // MD5
		p.extension(&n)
	}
	p.char(')')
	return n
}

// peekEnvelope tells whether message/global is described as a message, RFC 9051 section 9 (body-type-msg).
func (p *parser) peekEnvelope() bool {
	return p.pos+1 < len(p.src) && p.src[p.pos] == ' ' && p.src[p.pos+1] == '('
}

// extension is disposition, language, location and what may come later, each only after the one before.
func (p *parser) extension(n *Node) {
	if !p.accept(' ') {
		return
	}
	if p.nilValue() {
		n.List = append(n.List, Node{Kind: Nil})
	} else {
		p.char('(')
		kind := p.str()
		p.sp()
		n.List = append(n.List, Node{Kind: List, List: []Node{kind, p.parameters()}})
		p.char(')')
	}
	if !p.accept(' ') {
		return
	}
	if p.peek() == '(' {
		n.List = append(n.List, p.list1(p.str))
	} else {
		n.List = append(n.List, p.nstring())
	}
	if !p.accept(' ') {
		return
	}
	n.List = append(n.List, p.nstring()) // location
	for p.accept(' ') {
		n.List = append(n.List, p.value())
	}
}

// parameters is "(" string SP string *(SP string SP string) ")" or NIL.
func (p *parser) parameters() Node {
	if p.nilValue() {
		return Node{Kind: Nil}
	}
	n := p.list1(p.str)
	if len(n.List)%2 != 0 {
		p.fail("pairs of attributes and values")
	}
	return n
}
