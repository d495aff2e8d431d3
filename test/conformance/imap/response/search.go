package response

import "strings"

// search is "SEARCH" or "SORT" with numbers, and the modification sequence of RFC 7162 section 3.1.5.
func (p *parser) search(r *Response) {
	for !p.end() {
		p.sp()
		if p.peek() == '(' {
			if len(r.Args) == 0 || !p.word("(MODSEQ ") {
				p.fail("(MODSEQ n) after numbers")
			}
			r.Args = append(r.Args, Node{Kind: List, List: []Node{{Text: "MODSEQ"}, p.modSeq()}})
			p.char(')')
			return
		}
		r.Args = append(r.Args, p.nzNumber(32))
	}
}

// esearch is esearch-response, RFC 9051 section 9, RFC 4466: Args are the correlator as a list (or NIL), UID or NIL,
// and a list of names and values.
func (p *parser) esearch(r *Response) {
	r.Args = []Node{{Kind: Nil}, {Kind: Nil}, {Kind: List}}
	if p.word(" (") {
		correlator := Node{Kind: List}
		for {
			name := p.atom()
			p.sp()
			switch strings.ToUpper(name.Text) {
			case "TAG":
				correlator.List = append(correlator.List, name, p.astring())
			case "MAILBOX":
				correlator.List = append(correlator.List, name, p.mailbox())
			case "UIDVALIDITY":
				correlator.List = append(correlator.List, name, p.nzNumber(32))
			default:
				p.fail("TAG, MAILBOX or UIDVALIDITY")
			}
			if p.accept(')') {
				break
			}
			p.sp()
		}
		r.Args[0] = correlator
	}
	if p.word(" UID ") {
		p.pos--
		r.Args[1] = Node{Text: "UID"}
	} else if string(p.src[p.pos:]) == " UID" {
		p.pos += 4
		r.Args[1] = Node{Text: "UID"}
	}
	seen := map[string]bool{}
	for !p.end() {
		p.sp()
		name := p.atom()
		key := strings.ToUpper(name.Text)
		if seen[key] && key != "ADDTO" && key != "REMOVEFROM" {
			p.fail("each result once")
		}
		seen[key] = true
		p.sp()
		r.Args[2].List = append(r.Args[2].List, Node{Text: key}, p.searchResult(key))
	}
}

func (p *parser) searchResult(key string) Node {
	switch key {
	case "MIN", "MAX":
		return p.nzNumber(32)
	case "COUNT":
		return p.number(32)
	case "ALL":
		return p.set()
	case "MODSEQ":
		return p.modSeq()
	case "PARTIAL":
		// RFC 9394 section 4: "(" partial-range SP (sequence-set / nil) ")"
		p.char('(')
		n := Node{Kind: List, List: []Node{{Text: p.while("a range", func(c byte) bool {
			return c >= '0' && c <= '9' || c == ':' || c == '-'
		})}}}
		p.sp()
		if p.nilValue() {
			n.List = append(n.List, Node{Kind: Nil})
		} else {
			n.List = append(n.List, p.set())
		}
		p.char(')')
		return n
	case "RELEVANCY":
		return p.list(func() Node { return p.nzNumber(32) })
	case "ADDTO", "REMOVEFROM":
		return p.value()
	}
	p.fail("a known search result")
	return Node{}
}

// thread is thread-data, RFC 5256 section 5: threads without spaces between them.
func (p *parser) thread(r *Response) {
	if p.end() {
		return
	}
	p.sp()
	for !p.end() {
		r.Args = append(r.Args, p.threadList(0))
	}
}

func (p *parser) threadList(depth int) Node {
	if depth > 10_000 {
		p.fail("a thread of bearable depth")
	}
	p.char('(')
	n := Node{Kind: List}
	for {
		if p.peek() == '(' { // thread-nested: 2*thread-list, and nothing after it
			nested := 0
			for p.peek() == '(' {
				n.List = append(n.List, p.threadList(depth+1))
				nested++
			}
			if nested < 2 {
				p.fail("at least two nested threads")
			}
			p.char(')')
			return n
		}
		n.List = append(n.List, p.nzNumber(32))
		if p.accept(')') {
			return n
		}
		p.sp()
	}
}

// vanished is expunged-resp, RFC 7162 section 7.
func (p *parser) vanished(r *Response) {
	p.sp()
	if p.word("(EARLIER) ") {
		r.Args = append(r.Args, Node{Kind: List, List: []Node{{Text: "EARLIER"}}})
	}
	r.Args = append(r.Args, p.set())
}

// uidBatches is uidbatches-response, RFC 9877-bis draft: a correlator and ranges in descending order.
func (p *parser) uidBatches(r *Response) {
	if !p.word(` (TAG `) {
		p.fail("(TAG tag)")
	}
	r.Args = []Node{{Kind: List, List: []Node{{Text: "TAG"}, p.str()}}}
	p.char(')')
	if !p.end() {
		p.sp()
		r.Args = append(r.Args, Node{Text: p.while("ranges", func(c byte) bool {
			return c >= '0' && c <= '9' || c == ':' || c == ','
		})})
	}
}
