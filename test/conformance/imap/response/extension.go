package response

import "strings"

// quota is quota-response, RFC 9208 section 7: a list of (resource, usage, limit).
func (p *parser) quota(r *Response) {
	p.sp()
	root := p.astring()
	p.sp()
	p.char('(')
	n := Node{Kind: List}
	for !p.accept(')') {
		if len(n.List) > 0 {
			p.sp()
		}
		name := p.atom()
		p.sp()
		usage := p.number(63)
		p.sp()
		n.List = append(n.List, name, usage, p.number(63))
	}
	r.Args = []Node{root, n}
}

func (p *parser) quotaRoot(r *Response) {
	p.sp()
	r.Args = append([]Node{p.mailbox()}, p.rest(p.astring)...)
}

// rights is an astring of lower case letters and digits, each once, RFC 4314 section 2.
func (p *parser) rights() Node {
	n := p.astring()
	for i, c := range n.Text {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') || strings.IndexRune(n.Text, c) != i {
			p.fail("rights: lower case letters and digits, each once")
		}
	}
	return n
}

func (p *parser) acl(r *Response) {
	p.sp()
	r.Args = []Node{p.mailbox()}
	for !p.end() {
		p.sp()
		who := p.astring()
		p.sp()
		r.Args = append(r.Args, who, p.rights())
	}
}

func (p *parser) listRights(r *Response) {
	p.sp()
	name := p.mailbox()
	p.sp()
	who := p.astring()
	p.sp()
	required := p.rights()
	r.Args = append([]Node{name, who, required}, p.rest(p.rights)...)
}

func (p *parser) myRights(r *Response) {
	p.sp()
	name := p.mailbox()
	p.sp()
	r.Args = []Node{name, p.rights()}
}

// metadata is metadata-resp, RFC 5464 section 5: entries with values, or names alone when unsolicited.
func (p *parser) metadata(r *Response) {
	p.sp()
	// The empty name is the server, RFC 5464 section 4.4.
	r.Args = []Node{p.mailbox()}
	if p.word(" (") {
		n := Node{Kind: List}
		for {
			name := p.entry()
			p.sp()
			n.List = append(n.List, name, p.nstring8())
			if p.accept(')') {
				break
			}
			p.sp()
		}
		r.Args = append(r.Args, n)
		return
	}
	r.Args = append(r.Args, p.rest(p.entry)...)
	if len(r.Args) == 1 {
		p.fail("entries")
	}
}

// entry is the name of an annotation: begins with a slash, RFC 5464 section 3.2.
func (p *parser) entry() Node {
	n := p.astring()
	if !strings.HasPrefix(n.Text, "/") || strings.ContainsAny(n.Text, "*%") || strings.HasSuffix(n.Text, "/") ||
		strings.Contains(n.Text, "//") {
		p.fail("an entry: a slash first, none last, none doubled, no wildcard")
	}
	return n
}
