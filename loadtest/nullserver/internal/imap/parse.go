package imap

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
)

const maxDepth = 16 // of the parentheses, NOTs and ORs of a SEARCH

var errSyntax = errors.New("syntax")

// parser reads a command, literals included as "{3}\r\nabc". A literal at position bulk, if any, has its bytes elsewhere.
type parser struct {
	p    []byte
	i    int
	bulk int
}

func (p *parser) peek() byte {
	if p.i < len(p.p) {
		return p.p[p.i]
	}
	return 0
}

func (p *parser) end() bool { return p.i >= len(p.p) }

// take takes one byte if it is b.
func (p *parser) take(b byte) bool {
	if p.i < len(p.p) && p.p[p.i] == b {
		p.i++
		return true
	}
	return false
}

// word takes the longest run of bytes that are not in stop; it may be empty.
func (p *parser) word(stop string) []byte {
	start := p.i
	for p.i < len(p.p) && p.p[p.i] > ' ' && p.p[p.i] < 0x7f && strings.IndexByte(stop, p.p[p.i]) < 0 {
		p.i++
	}
	return p.p[start:p.i]
}

const atomSpecials = `(){%*"\]`

// atom is RFC 3501's, "]" left out so that fetch sections end.
func (p *parser) atom() ([]byte, error) {
	if word := p.word(atomSpecials); len(word) > 0 {
		return word, nil
	}
	return nil, errSyntax
}

// flag is an atom with or without "\" before it.
func (p *parser) flag() (string, error) {
	start := p.i
	p.take('\\')
	if _, err := p.atom(); err != nil {
		return "", err
	}
	return string(p.p[start:p.i]), nil
}

// flags is a list of flags in parentheses, or some without them.
func (p *parser) flags() ([]string, error) {
	list := p.take('(')
	if list && p.take(')') {
		return nil, nil
	}
	var flags []string
	for {
		flag, err := p.flag()
		if err != nil {
			return nil, err
		}
		flags = append(flags, flag)
		if !p.take(' ') {
			break
		}
	}
	if list && !p.take(')') {
		return nil, errSyntax
	}
	return flags, nil
}

// astring is an atom, a quoted string or a literal; with extra bytes allowed in the atom.
func (p *parser) astring(extra string) ([]byte, error) {
	switch p.peek() {
	case '"':
		return p.quoted()
	case '{':
		return p.literal()
	}
	start := p.i
	for {
		p.word(atomSpecials[:len(atomSpecials)-1]) // "]" is one of an astring's
		if b := p.peek(); b == 0 || strings.IndexByte(extra, b) < 0 {
			break
		}
		p.i++
	}
	if p.i == start {
		return nil, errSyntax
	}
	return p.p[start:p.i], nil
}

func (p *parser) quoted() ([]byte, error) {
	p.i++
	var text []byte
	for p.i < len(p.p) {
		b := p.p[p.i]
		p.i++
		switch b {
		case '"':
			return text, nil
		case '\r', '\n', 0:
			return nil, errSyntax
		case '\\':
			if b = p.peek(); b != '"' && b != '\\' {
				return nil, errSyntax
			}
			p.i++
		}
		text = append(text, b)
	}
	return nil, errSyntax
}

func (p *parser) literal() ([]byte, error) {
	if p.bulk == p.i {
		return nil, errSyntax // only as the text of APPEND
	}
	n, _, size := literalAt(p.p[p.i:])
	if size == 0 || n > int64(len(p.p)-p.i-size) {
		return nil, errSyntax
	}
	start := p.i + size
	p.i = start + int(n)
	return p.p[start:p.i], nil
}

// literalAt reads "{3}\r\n" or "{3+}\r\n" at the start of b: the literal's length, whether it comes unasked (RFC 7888), and the length of
// what was read, 0 when there is no literal.
func literalAt(b []byte) (n int64, unasked bool, size int) {
	end := bytes.Index(b, []byte("}\r\n"))
	if len(b) == 0 || b[0] != '{' || end < 2 {
		return 0, false, 0
	}
	digits := b[1:end]
	if digits[len(digits)-1] == '+' {
		unasked = true
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false, 0
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false, 0
		}
		n = n*10 + int64(d-'0')
	}
	return n, unasked, end + 3
}

func (p *parser) number() (uint64, error) {
	start := p.i
	for p.i < len(p.p) && p.p[p.i] >= '0' && p.p[p.i] <= '9' {
		p.i++
	}
	n, err := strconv.ParseUint(string(p.p[start:p.i]), 10, 63) // RFC 7162: mod-sequences have 63 bits
	if err != nil {
		return 0, errSyntax
	}
	return n, nil
}

// date is a SEARCH's day, quoted or not, as its midnight in UTC.
func (p *parser) date() (time.Time, error) {
	text, err := p.astring("")
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.Parse("2-Jan-2006", string(text))
	if err != nil {
		return time.Time{}, errSyntax
	}
	return day, nil
}

// upper returns a word in upper case.
func upper(word []byte) string { return strings.ToUpper(string(word)) }
