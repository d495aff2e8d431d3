package response

import "strings"

// Codes without arguments: RFC 9051 section 7.1, RFC 5530 and the extensions' own.
var bareCodes = map[string]bool{
	"ALERT": true, "PARSE": true, "READ-ONLY": true, "READ-WRITE": true, "TRYCREATE": true, "UIDNOTSTICKY": true,
	"UNAVAILABLE": true, "AUTHENTICATIONFAILED": true, "AUTHORIZATIONFAILED": true, "EXPIRED": true,
	"PRIVACYREQUIRED": true, "CONTACTADMIN": true, "NOPERM": true, "INUSE": true, "EXPUNGEISSUED": true,
	"CORRUPTION": true, "SERVERBUG": true, "CLIENTBUG": true, "CANNOT": true, "LIMIT": true, "OVERQUOTA": true,
	"ALREADYEXISTS": true, "NONEXISTENT": true, "NOTSAVED": true, "HASCHILDREN": true, "CLOSED": true,
	"UNKNOWN-CTE": true, "NOMODSEQ": true, "UIDREQUIRED": true, "USEATTR": true, "COMPRESSIONACTIVE": true,
	"NOTIFICATIONOVERFLOW": true, "TOOBIG": true, "TEMPFAIL": true, "BADCOMPARATOR": true,
}

// code is resp-text-code, RFC 9051 section 9. A name outside of IANA's registry is an error here.
func (p *parser) code() Code {
	start := p.pos
	c := Code{Name: strings.ToUpper(p.while("a response code", isAtomChar))}
	one := func(n Node) { c.Args = []Node{n} }
	switch c.Name {
	case "CAPABILITY":
		for p.peek() == ' ' {
			p.sp()
			c.Args = append(c.Args, p.atom())
		}
	case "BADCHARSET":
		if p.accept(' ') {
			one(p.list1(p.astring))
		}
	case "BADEVENT":
		p.sp()
		one(p.list(p.atom))
	case "PERMANENTFLAGS":
		p.sp()
		one(p.list(p.flagPerm))
	case "UIDNEXT", "UIDVALIDITY", "UNSEEN":
		p.sp()
		one(p.nzNumber(32))
	case "HIGHESTMODSEQ":
		p.sp()
		one(p.modSeq())
	case "MODIFIED":
		p.sp()
		one(p.set())
	case "APPENDUID":
		p.sp()
		validity := p.nzNumber(32)
		p.sp()
		c.Args = []Node{validity, p.set()}
	case "COPYUID":
		p.sp()
		validity := p.nzNumber(32)
		p.sp()
		from := p.set()
		p.sp()
		c.Args = []Node{validity, from, p.set()}
	case "MAILBOXID":
		p.sp()
		one(p.parenthesised(p.objectID))
	case "BADURL":
		// RFC 4469 section 5: url-resp-text is bare text without "]".
		p.sp()
		one(Node{Text: p.while("a URL", func(c byte) bool { return c >= ' ' && c < 0x7f && c != ']' })})
	case "NOUPDATE":
		p.sp()
		one(p.quoted())
	case "INPROGRESS":
		if p.accept(' ') {
			one(p.progress())
		}
	case "MESSAGELIMIT":
		p.sp()
		one(p.nzNumber(32))
		if p.accept(' ') {
			c.Args = append(c.Args, p.nzNumber(32))
		}
	case "METADATA":
		p.sp()
		one(p.atom())
		switch strings.ToUpper(c.Args[0].Text) {
		case "LONGENTRIES", "MAXSIZE":
			p.sp()
			c.Args = append(c.Args, p.number(32))
		case "TOOMANY", "NOPRIVATE":
		default:
			p.fail("LONGENTRIES, MAXSIZE, TOOMANY or NOPRIVATE")
		}
	case "URLMECH", "ANNOTATIONS", "ANNOTATE", "REFERRAL", "UNDEFINED-FILTER", "MAXCONVERTMESSAGES", "MAXCONVERTPARTS", "TOOFEW":
		// Registered, and of extensions that this suite does not cover: RFC 4467, 5257, 2221, 5466, 5259.
		if p.accept(' ') {
			one(Node{Text: p.while("arguments", func(b byte) bool { return b >= ' ' && b < 0x7f && b != ']' })})
		}
	default:
		if !bareCodes[c.Name] {
			p.pos = start
			p.fail("a response code of IANA's registry")
		}
	}
	return c
}

// progress is the argument of INPROGRESS, RFC 9585 section 4: (tag, done, goal), any of them NIL.
func (p *parser) progress() Node {
	p.char('(')
	n := Node{Kind: List}
	if p.peek() == '"' {
		n.List = append(n.List, p.quoted())
	} else if p.nilValue() {
		n.List = append(n.List, Node{Kind: Nil})
	} else {
		p.fail("a quoted tag or NIL")
	}
	for range 2 {
		p.sp()
		if p.nilValue() {
			n.List = append(n.List, Node{Kind: Nil})
			continue
		}
		n.List = append(n.List, p.number(32))
	}
	p.char(')')
	return n
}

// parenthesised is "(" item ")".
func (p *parser) parenthesised(item func() Node) Node {
	p.char('(')
	n := Node{Kind: List, List: []Node{item()}}
	p.char(')')
	return n
}

// objectID is 1*255(ALPHA / DIGIT / "_" / "-"), RFC 8474 section 7.
func (p *parser) objectID() Node {
	text := p.while("an object identifier", func(c byte) bool {
		return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	})
	if len(text) > 255 {
		p.fail("an object identifier of at most 255 octets")
	}
	return Node{Text: text}
}
