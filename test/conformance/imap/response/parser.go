package response

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError is a response that the grammar does not allow.
type SyntaxError struct {
	Raw  string
	Pos  int
	Want string
}

func (e *SyntaxError) Error() string {
	from, to := max(0, e.Pos-60), min(len(e.Raw), e.Pos+40)
	at := min(e.Pos, len(e.Raw))
	return fmt.Sprintf("syntax at octet %d, wanted %s: %q <here> %q", e.Pos, e.Want, e.Raw[from:at], e.Raw[at:to])
}

// Mode is what the client enabled, as far as the grammar depends on it.
type Mode struct {
	UTF8    bool // UTF8=ACCEPT or IMAP4rev2: quoted strings and mailbox names hold UTF-8
	Rev2    bool // IMAP4rev2
	UIDOnly bool // RFC 9586
	SASL    bool // an exchange is under way: "+" carries base64
}

type parser struct {
	src  []byte
	pos  int
	mode Mode
}

func (p *parser) fail(want string) {
	panic(&SyntaxError{Raw: string(p.src), Pos: p.pos, Want: want})
}

func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) end() bool { return p.pos >= len(p.src) }

func (p *parser) char(c byte) {
	if p.end() || p.src[p.pos] != c {
		p.fail(strconv.Quote(string(c)))
	}
	p.pos++
}

func (p *parser) accept(c byte) bool {
	if !p.end() && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) sp() { p.char(' ') }

// word accepts an exact word, case-insensitively.
func (p *parser) word(w string) bool {
	if len(p.src)-p.pos < len(w) || !strings.EqualFold(string(p.src[p.pos:p.pos+len(w)]), w) {
		return false
	}
	p.pos += len(w)
	return true
}

func isAtomChar(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("(){%*\"\\]", rune(c))
}

func (p *parser) while(want string, ok func(byte) bool) string {
	start := p.pos
	for !p.end() && ok(p.src[p.pos]) {
		p.pos++
	}
	if p.pos == start {
		p.fail(want)
	}
	return string(p.src[start:p.pos])
}

func (p *parser) atom() Node { return Node{Text: p.while("an atom", isAtomChar)} }

// number is a number of at most bits bits without leading zeros.
func (p *parser) number(bits int) Node {
	start := p.pos
	text := p.while("a number", func(c byte) bool { return c >= '0' && c <= '9' })
	if _, err := strconv.ParseUint(text, 10, bits); err != nil || len(text) > 1 && text[0] == '0' {
		p.pos = start
		p.fail(fmt.Sprintf("a number of %d bits without leading zeros", bits))
	}
	return Node{Text: text}
}

func (p *parser) nzNumber(bits int) Node {
	start := p.pos
	n := p.number(bits)
	if n.Text == "0" {
		p.pos = start
		p.fail("a number that is not zero")
	}
	return n
}

// modSeq is mod-sequence-value: 63 bits, not zero, RFC 7162 section 7.
func (p *parser) modSeq() Node { return p.nzNumber(63) }

func (p *parser) quoted() Node {
	p.char('"')
	var b []byte
	for {
		if p.end() {
			p.fail("a closing quote")
		}
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == '"':
			if p.mode.UTF8 && !utf8.Valid(b) {
				p.fail("UTF-8 in a quoted string")
			}
			return Node{Kind: Quoted, Text: string(b)}
		case c == '\\':
			// RFC 9051 section 9: only quoted-specials are escaped.
			if next := p.peek(); next != '"' && next != '\\' {
				p.fail(`\" or \\`)
			}
			b = append(b, p.src[p.pos])
			p.pos++
		case c == '\r' || c == '\n' || c == 0:
			p.pos--
			p.fail("no CR, LF or NUL in a quoted string")
		case c >= 0x80 && !p.mode.UTF8:
			p.pos--
			p.fail("7-bit octets in a quoted string")
		default:
			b = append(b, c)
		}
	}
}

func (p *parser) literal() Node {
	kind := Literal
	if p.accept('~') {
		kind = Literal8
	}
	p.char('{')
	start := p.pos
	n, err := strconv.Atoi(p.while("a literal's size", func(c byte) bool { return c >= '0' && c <= '9' }))
	if err != nil || p.src[start] == '0' && p.pos-start > 1 {
		p.fail("a literal's size")
	}
	p.char('}')
	p.char('\r')
	p.char('\n')
	if len(p.src)-p.pos < n {
		p.fail("the whole literal")
	}
	text := p.src[p.pos : p.pos+n]
	p.pos += n
	if kind == Literal && bytes.IndexByte(text, 0) >= 0 {
		p.fail("no NUL in a literal")
	}
	return Node{Kind: kind, Text: string(text)}
}

// str is string: quoted or literal, not literal8.
func (p *parser) str() Node {
	if p.peek() == '{' {
		return p.literal()
	}
	return p.quoted()
}

func (p *parser) nilValue() bool {
	if !p.word("NIL") {
		return false
	}
	if !p.end() && isAtomChar(p.peek()) {
		p.fail("NIL")
	}
	return true
}

func (p *parser) nstring() Node {
	if c := p.peek(); c == '"' || c == '{' {
		return p.str()
	}
	if !p.nilValue() {
		p.fail("a string or NIL")
	}
	return Node{Kind: Nil}
}

// nstring8 is nstring or literal8, RFC 3516 section 7.
func (p *parser) nstring8() Node {
	if p.peek() == '~' {
		return p.literal()
	}
	return p.nstring()
}

func isAStringChar(c byte) bool { return isAtomChar(c) || c == ']' }

func (p *parser) astring() Node {
	if c := p.peek(); c == '"' || c == '{' {
		return p.str()
	}
	// An atom here is text, not NIL: RFC 9051 section 9, astring.
	return Node{Text: p.while("an atom or a string", isAStringChar)}
}

// list is "(" [item *(SP item)] ")".
func (p *parser) list(item func() Node) Node {
	p.char('(')
	n := Node{Kind: List}
	if p.accept(')') {
		return n
	}
	for {
		n.List = append(n.List, item())
		if p.accept(')') {
			return n
		}
		p.sp()
	}
}

// list1 is a list of at least one item.
func (p *parser) list1(item func() Node) Node {
	n := p.list(item)
	if len(n.List) == 0 {
		p.fail("a list that is not empty")
	}
	return n
}

// value is any tagged-ext-val, RFC 4466: atoms, strings and lists of them.
func (p *parser) value() Node {
	switch p.peek() {
	case '(':
		return p.list(p.value)
	case '"', '{':
		return p.str()
	case '~':
		return p.literal()
	case '\\':
		return p.flag()
	}
	if p.nilAhead() {
		p.pos += 3
		return Node{Kind: Nil}
	}
	return Node{Text: p.while("a value", func(c byte) bool { return isAStringChar(c) || c == '*' })}
}

func (p *parser) nilAhead() bool {
	if len(p.src)-p.pos < 3 || !strings.EqualFold(string(p.src[p.pos:p.pos+3]), "NIL") {
		return false
	}
	return len(p.src)-p.pos == 3 || !isAtomChar(p.src[p.pos+3])
}
