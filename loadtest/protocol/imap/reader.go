package imap

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Bounds of what a server may send.
const (
	// MaxLiteral is the size of the largest literal that is read, in octets.
	MaxLiteral = 64 << 20
	// MaxDepth is how deep lists may be nested.
	MaxDepth = 32

	maxText    = 8 << 20   // a response without its literals
	maxCommand = 512 << 20 // everything that comes while one command runs
)

// source is what the parser needs of a wire.Conn.
type source interface {
	ReadLine() ([]byte, error) // without CRLF, bounded, valid until the next read
	Read(p []byte) (int, error)
}

// protocolError says what a server may not send. The connection is of no use after it.
type protocolError string

func (e protocolError) Error() string { return "imap: the server sent " + string(e) }

// reader takes a response apart. The first error sticks: from then on everything is at its end and empty.
type reader struct {
	src  source
	line []byte // what is left of the line
	err  error

	text     int // octets of this response, literals aside
	received int // octets since the command began

	raw     []byte // what was captured of earlier lines
	capture []byte // the line from where the capture began; nil: none is under way
}

// next begins a new response.
func (r *reader) next() {
	r.text, r.capture = 0, nil
	r.readLine()
}

func (r *reader) readLine() {
	if r.err != nil {
		return
	}
	line, err := r.src.ReadLine()
	if err != nil {
		r.stop(err)
		return
	}
	r.line = line
	r.text += len(line) + 2
	r.received += len(line) + 2
	if r.text > maxText {
		r.fail("a response over %d MiB", maxText>>20)
	}
	if r.received > maxCommand {
		r.fail("over %d MiB for one command", maxCommand>>20)
	}
}

func (r *reader) stop(err error) {
	if r.err == nil {
		r.err = err
	}
	r.line = nil
}

func (r *reader) fail(format string, args ...any) {
	r.stop(protocolError(fmt.Sprintf(format, args...)))
}

// unexpected fails with what is there instead.
func (r *reader) unexpected(wanted string) {
	r.fail("%q instead of %s", r.line[:min(len(r.line), 40)], wanted)
}

// peek returns the next octet, 0 at the end of the line.
func (r *reader) peek() byte {
	if len(r.line) == 0 {
		return 0
	}
	return r.line[0]
}

func (r *reader) accept(b byte) bool {
	if len(r.line) == 0 || r.line[0] != b {
		return false
	}
	r.line = r.line[1:]
	return true
}

func (r *reader) expect(b byte) {
	if !r.accept(b) {
		r.unexpected(strconv.QuoteRune(rune(b)))
	}
}

func (r *reader) space() { r.expect(' ') }

// end expects the end of the line. Spaces before it are harmless, and some servers send them.
func (r *reader) end() {
	if len(bytes.TrimRight(r.line, " ")) > 0 {
		r.unexpected("the end of the line")
	}
	r.line = nil
}

// word returns the octets up to the next space, parenthesis or quote, at least one. It is valid until the next literal.
// It is wider than RFC 9051's atom, so that flags, sets and what servers invent all pass.
func (r *reader) word() []byte {
	n := 0
	for n < len(r.line) && isWord(r.line[n]) {
		n++
	}
	if n == 0 {
		r.unexpected("a word")
		return nil
	}
	word := r.line[:n]
	r.line = r.line[n:]
	return word
}

func isWord(b byte) bool {
	return b > ' ' && b != '(' && b != ')' && b != '"' && b != 0x7f
}

// number reads digits, at most limit.
func (r *reader) number(limit uint64) uint64 {
	var n uint64
	digits := 0
	for ; digits < len(r.line) && r.line[digits] >= '0' && r.line[digits] <= '9'; digits++ {
		d := uint64(r.line[digits] - '0')
		if n > (limit-d)/10 {
			r.fail("a number over %d", limit)
			return 0
		}
		n = 10*n + d
	}
	if digits == 0 {
		r.unexpected("a number")
		return 0
	}
	r.line = r.line[digits:]
	return n
}

func (r *reader) uint32() uint32 { return uint32(r.number(1<<32 - 1)) }

// modseq is 63 bits wide (RFC 7162, 7).
func (r *reader) modseq() uint64 { return r.number(1<<63 - 1) }

// nonZero reads a sequence number, UID or UIDVALIDITY.
func (r *reader) nonZero() uint32 {
	n := r.uint32()
	if n == 0 {
		r.fail("0 for a sequence number or UID")
	}
	return n
}

// atString says whether a quoted string or a literal comes.
func (r *reader) atString() bool {
	b := r.peek()
	return b == '"' || b == '{' || b == '~' && len(r.line) > 1 && r.line[1] == '{'
}

// nstring reads a string or NIL, which is nil. The slice is the caller's.
func (r *reader) nstring() []byte {
	switch {
	case r.peek() == '"':
		return r.quoted()
	case r.atString():
		return r.literal()
	}
	if word := r.word(); len(word) > 0 && !bytes.EqualFold(word, []byte("NIL")) {
		r.fail("%q instead of a string", word[:min(len(word), 40)])
	}
	return nil
}

// astring reads a string or a word.
func (r *reader) astring() string {
	if r.atString() {
		return string(r.nstring())
	}
	return string(r.word())
}

// quoted reads a quoted string. An empty one is not nil.
func (r *reader) quoted() []byte {
	line := r.line[1:]
	if i := bytes.IndexAny(line, `"\`); i >= 0 && line[i] == '"' {
		r.line = line[i+1:]
		return append(make([]byte, 0, i), line[:i]...)
	}
	text := []byte{}
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == '"':
			r.line = line[i+1:]
			return text
		case b == '\\' && i+1 < len(line):
			i++
			text = append(text, line[i])
		default:
			text = append(text, b)
		}
	}
	r.fail("a quoted string without its end")
	return nil
}

// literal reads "{n}" or "{n+}", with a "~" before it for literal8 (RFC 9051, 4.3), its n octets and the line that follows.
func (r *reader) literal() []byte {
	r.accept('~')
	r.expect('{')
	n := int(r.number(MaxLiteral))
	r.accept('+')
	r.expect('}')
	if r.err == nil && len(r.line) > 0 {
		r.unexpected("the end of the line after a literal's size")
	}
	if r.received += n; r.received > maxCommand {
		r.fail("over %d MiB for one command", maxCommand>>20)
	}
	if r.err != nil {
		return nil
	}
	text := make([]byte, n)
	if r.capture != nil {
		r.raw = append(append(r.raw, r.capture...), "\r\n"...)
	}
	if _, err := io.ReadFull(r.src, text); err != nil {
		r.stop(err)
		return nil
	}
	if r.readLine(); r.capture != nil {
		r.raw = append(r.raw, text...)
		r.capture = r.line
	}
	return text
}

// begin and captured bracket a value whose text is wanted as it came.
func (r *reader) begin() { r.raw, r.capture = nil, r.line }

func (r *reader) captured() []byte {
	if r.err != nil {
		return nil
	}
	raw := append(r.raw, r.capture[:len(r.capture)-len(r.line)]...)
	r.raw, r.capture = nil, nil
	return raw
}

// skip passes over one value of any shape.
func (r *reader) skip(depth int) {
	switch {
	case r.peek() == '(':
		if depth >= MaxDepth {
			r.fail("lists nested over %d deep", MaxDepth)
			return
		}
		r.list(func() { r.skip(depth + 1) })
	case r.atString():
		r.nstring()
	default:
		r.word()
	}
}

// list reads "(" values ")", with or without spaces between the values. Each must consume something.
func (r *reader) list(value func()) {
	r.expect('(')
	for r.err == nil && !r.accept(')') {
		value()
		r.accept(' ')
	}
}

// skipLine passes over the rest of a response that is of no interest, its literals included.
func (r *reader) skipLine() {
	for r.err == nil {
		open := bytes.LastIndexByte(r.line, '{')
		if open < 0 || !endsInLiteral(r.line[open:]) {
			r.line = nil
			return
		}
		r.line = r.line[open:]
		r.literal()
	}
}

func endsInLiteral(s []byte) bool {
	digits, closed := bytes.CutSuffix(s[1:], []byte{'}'})
	digits = bytes.TrimSuffix(digits, []byte{'+'})
	if !closed || len(digits) == 0 {
		return false
	}
	for _, b := range digits {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}
