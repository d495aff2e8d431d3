package response

import (
	"encoding/base64"
	"strings"
)

// Parse reads one response as Reader.Next returns it.
func Parse(raw []byte, mode Mode) (r *Response, err error) {
	p := &parser{src: raw, mode: mode}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *SyntaxError:
			r, err = nil, e
		default:
			panic(e)
		}
	}()
	r = &Response{Raw: string(raw)}
	switch {
	case p.accept('+'):
		r.Tag = "+"
		p.continuation(r)
	case p.accept('*'):
		r.Tag = "*"
		p.sp()
		p.untagged(r)
	default:
		r.Tag = p.while("a tag", func(c byte) bool { return isAStringChar(c) && c != '+' })
		p.sp()
		p.status(r)
		if r.Type == "BYE" || r.Type == "PREAUTH" {
			p.fail("a tagged OK, NO or BAD")
		}
	}
	if !p.end() {
		p.fail("the end of the response")
	}
	return r, nil
}

// continuation is continue-req: "+" SP (resp-text / base64).
func (p *parser) continuation(r *Response) {
	p.sp()
	if p.mode.SASL {
		r.Text = string(p.src[p.pos:])
		if _, err := base64.StdEncoding.Strict().DecodeString(r.Text); err != nil {
			p.fail("base64")
		}
		p.pos = len(p.src)
		return
	}
	if !p.end() {
		p.respText(r)
	}
}

// status is resp-cond-state, resp-cond-bye or the greeting: a word, SP and resp-text.
func (p *parser) status(r *Response) {
	for _, w := range []string{"OK", "NO", "BAD", "BYE", "PREAUTH"} {
		if p.word(w + " ") {
			r.Type = w
			p.respText(r)
			return
		}
	}
	p.fail("OK, NO or BAD and text")
}

// respText is ["[" resp-text-code "]" SP] text, with at least one character of text as RFC 3501 wants.
func (p *parser) respText(r *Response) {
	if p.accept('[') {
		code := p.code()
		r.Code = &code
		p.char(']')
		p.sp()
	}
	start := p.pos
	for ; !p.end(); p.pos++ {
		if p.src[p.pos] >= 0x80 && !p.mode.UTF8 {
			p.fail("7-bit text")
		}
	}
	if start == p.pos {
		p.fail("text")
	}
	r.Text = string(p.src[start:])
}

type rule func(p *parser, r *Response)

var untagged = map[string]rule{
	"CAPABILITY": (*parser).capability,
	"ENABLED":    func(p *parser, r *Response) { r.Args = p.rest(p.atom) },
	"FLAGS":      func(p *parser, r *Response) { p.sp(); r.Args = []Node{p.list(p.flag)} },
	"LIST":       (*parser).mailboxList,
	"LSUB":       (*parser).mailboxList,
	"STATUS":     (*parser).mailboxStatus,
	"SEARCH":     (*parser).search,
	"SORT":       (*parser).search,
	"ESEARCH":    (*parser).esearch,
	"THREAD":     (*parser).thread,
	"NAMESPACE":  (*parser).namespaces,
	"ID":         (*parser).id,
	"VANISHED":   (*parser).vanished,
	"QUOTA":      (*parser).quota,
	"QUOTAROOT":  (*parser).quotaRoot,
	"ACL":        (*parser).acl,
	"LISTRIGHTS": (*parser).listRights,
	"MYRIGHTS":   (*parser).myRights,
	"METADATA":   (*parser).metadata,
	"UIDBATCHES": (*parser).uidBatches,
}

// untagged is what follows "* ".
func (p *parser) untagged(r *Response) {
	if c := p.peek(); c >= '0' && c <= '9' {
		start := p.pos
		number := p.number(32)
		r.Number = parse(number.Text)
		p.sp()
		r.Type = strings.ToUpper(p.atom().Text)
		switch r.Type {
		case "EXISTS", "RECENT":
		case "EXPUNGE", "FETCH", "UIDFETCH":
			if r.Number == 0 {
				p.pos = start
				p.fail("a number that is not zero")
			}
			if r.Type != "EXPUNGE" {
				p.sp()
				r.Args = []Node{p.fetchItems()}
			}
		default:
			p.fail("EXISTS, RECENT, EXPUNGE or FETCH")
		}
		return
	}
	start := p.pos
	r.Type = strings.ToUpper(p.while("a response's name", isAtomChar))
	switch r.Type {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		p.sp()
		p.respText(r)
		return
	}
	f := untagged[r.Type]
	if f == nil {
		p.pos = start
		p.fail("a response that this suite knows")
	}
	f(p, r)
}

// rest is *(SP item) up to the end.
func (p *parser) rest(item func() Node) []Node {
	var all []Node
	for !p.end() {
		p.sp()
		all = append(all, item())
	}
	return all
}

func (p *parser) capability(r *Response) {
	r.Args = p.rest(p.atom)
	for _, a := range r.Args {
		if strings.EqualFold(a.Text, "IMAP4rev1") || strings.EqualFold(a.Text, "IMAP4rev2") {
			return
		}
	}
	p.fail("IMAP4rev1 or IMAP4rev2 among the capabilities")
}

// flag is a flag of a mailbox: a system flag, a keyword or an extension.
func (p *parser) flag() Node {
	if p.accept('\\') {
		return Node{Text: "\\" + p.while("a flag", isAtomChar)}
	}
	return p.atom()
}

// flagPerm is flag or "\*".
func (p *parser) flagPerm() Node {
	if p.word(`\*`) {
		return Node{Text: `\*`}
	}
	return p.flag()
}

func parse(text string) uint64 {
	var n uint64
	for i := range len(text) {
		n = n*10 + uint64(text[i]-'0')
	}
	return n
}
