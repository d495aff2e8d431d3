package wire

import (
	"bytes"
	"io"
	"math"
	"strings"
)

// Literal is a literal that is read as a stream. It belongs to its Reader, which goes on after Close.
type Literal struct {
	reader *Reader
	size   int64
	left   int64
	waits  bool // for the continuation request
	sync   bool
	binary bool
}

// Size returns the literal's length in bytes.
func (l *Literal) Size() int64 { return l.size }

// Sync tells that the client waits for a continuation request, which the first Read sends (RFC 7888, section 4). Until
// then the command may be refused without reading the literal.
func (l *Literal) Sync() bool { return l.sync }

// Binary tells that this is a literal8, which may contain NUL (RFC 3516, section 4.4).
func (l *Literal) Binary() bool { return l.binary }

// Read implements io.Reader. A connection that ends within the literal gives io.ErrUnexpectedEOF.
func (l *Literal) Read(p []byte) (int, error) {
	if l.reader == nil || l.left == 0 {
		return 0, io.EOF
	}
	if err := l.begin(); err != nil {
		return 0, err
	}
	p = p[:min(int64(len(p)), l.left)]
	if len(p) == 0 {
		return 0, nil
	}
	r := l.reader
	n := copy(p, r.buf[r.lo:r.hi])
	r.lo, r.seen = r.lo+n, 0
	if n == 0 {
		var err error
		if n, err = read(r.src, p); err != nil {
			return 0, unexpected(err)
		}
	}
	l.left -= int64(n)
	return n, nil
}

// begin asks the client for the literal if it waits for that.
func (l *Literal) begin() error {
	if !l.waits {
		return nil
	}
	l.waits = false
	return l.reader.cont("Ready for literal data")
}

// Close reads past what is left of the literal, within Limits.Discard, and goes on to the rest of the command.
func (l *Literal) Close() error {
	r := l.reader
	if r == nil {
		return nil
	}
	if l.left > r.limits.Discard {
		return ErrTooLong
	}
	if err := l.begin(); err != nil {
		return err
	}
	if err := r.skip(l.left); err != nil {
		return err
	}
	r.literal = Literal{}
	return r.next()
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Literal takes the head of a literal or literal8 and returns it to be read as a stream, then closed. Its size has no limit.
// It is valid until it is closed or the next command begins.
func (r *Reader) Literal() (*Literal, error) {
	rest := r.buf[r.pos:r.eol]
	head, binary := bytes.CutPrefix(rest, []byte("~"))
	size, waits, err := literalSize(head)
	if err != nil {
		return nil, err
	}
	r.pos = r.eol
	r.literal = Literal{reader: r, size: size, left: size, waits: waits, sync: waits, binary: binary}
	return &r.literal, nil
}

// literalSize parses "{n}" or "{n+}", which must be the whole of head. waits tells that there is no "+".
func literalSize(head []byte) (size int64, waits bool, err error) {
	digits, ok := bytes.CutPrefix(head, []byte("{"))
	if !ok {
		return 0, false, Bad("literal is missing")
	}
	if digits, ok = bytes.CutSuffix(digits, []byte("}")); !ok || len(digits) == 0 {
		return 0, false, Bad("literal is malformed")
	}
	digits, plus := bytes.CutSuffix(digits, []byte("+"))
	for _, c := range digits {
		if c < '0' || '9' < c || size > (math.MaxInt64-9)/10 {
			return 0, false, Bad("size of literal is malformed")
		}
		size = size*10 + int64(c-'0')
	}
	if len(digits) == 0 {
		return 0, false, Bad("size of literal is malformed")
	}
	return size, !plus, nil
}

// literalString takes a literal that is an ordinary argument. Only literal8, if that is accepted, may contain NUL.
func (r *Reader) literalString(accept8 bool) (string, error) {
	start := r.pos
	l, err := r.Literal()
	if err != nil {
		return "", err
	}
	if l.size > r.limits.Literal || r.literals+l.size > r.limits.Literals {
		r.literal, r.pos = Literal{}, start
		return "", ErrTooBig
	}
	if l.binary && !accept8 {
		r.literal, r.pos = Literal{}, start
		return "", Bad("binary literal is not accepted here")
	}
	r.literals += l.size
	if err := l.begin(); err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(int(min(l.size, readBuffer)))
	for l.left > 0 {
		if r.lo == r.hi {
			if err := r.fill(); err != nil {
				return "", unexpected(err)
			}
		}
		chunk := r.buf[r.lo:min(r.hi, r.lo+int(min(l.left, math.MaxInt32)))]
		b.Write(chunk)
		r.lo, r.seen = r.lo+len(chunk), 0
		l.left -= int64(len(chunk))
	}
	nul := !l.binary && strings.IndexByte(b.String(), 0) >= 0
	if err := l.Close(); err != nil {
		return "", err
	}
	if nul {
		return "", Bad("literal contains NUL")
	}
	return b.String(), nil
}
