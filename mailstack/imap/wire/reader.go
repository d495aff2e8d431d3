package wire

import (
	"bytes"
	"errors"
	"io"
)

// Reader reads the tokens of commands. It is for one goroutine at a time.
//
// A command begins with Tag and ends with CRLF. Between them every method takes one token from the line, and reads on only
// where the line ends in a literal. A method that fails leaves the Reader within the command; Tag and Discard skip the rest.
type Reader struct {
	// UTF8 tells that the client enabled IMAP4rev2 or UTF8=ACCEPT: names of mailboxes are UTF-8 instead of modified UTF-7
	// (RFC 6855, section 3; RFC 9051, section 5.1).
	UTF8 bool

	src    io.Reader
	limits Limits
	cont   func(text string) error

	buf    []byte // from the pool; nil while nothing is buffered
	lo, hi int    // what is buffered beyond the current line is buf[lo:hi]
	pos    int    // next byte of the current line
	eol    int    // end of the current line, without its line break
	seen   int    // bytes of buf[lo:hi] that are known to hold no line break

	// Of the current command.
	open     bool  // Tag was called, CRLF was not
	line     int   // bytes of its lines so far
	literals int64 // bytes of its literals that are ordinary arguments
	depth    int
	items    int
	literal  Literal // the one that is read, if literal.reader is set
}

// NewReader returns a Reader of a client's bytes. cont sends a command continuation request with this text ("+ text") and
// flushes it; it is called before a synchronising literal is read (RFC 9051, section 4.3).
func NewReader(src io.Reader, limits Limits, cont func(text string) error) *Reader {
	return &Reader{src: src, limits: limits.withDefaults(), cont: cont}
}

// Reset makes the Reader read from src and forgets what is buffered: after STARTTLS nothing that came in clear text may be
// taken for a command (RFC 9051, section 6.2.1).
func (r *Reader) Reset(src io.Reader) {
	r.src = src
	r.lo, r.hi, r.seen, r.pos, r.eol = 0, 0, 0, 0, 0
	r.open = false
	r.literal = Literal{}
	r.Release()
}

// Buffered returns how many bytes beyond the current line have been read from the source.
func (r *Reader) Buffered() int { return r.hi - r.lo }

// Take removes and returns what is buffered beyond the current line. After COMPRESS it is the beginning of the compressed
// stream (RFC 4978, section 3).
func (r *Reader) Take() []byte {
	b := bytes.Clone(r.buf[r.lo:r.hi])
	r.lo, r.hi, r.seen = 0, 0, 0
	return b
}

// Release gives the buffer back if nothing is buffered and no command is being read. The next read takes another.
func (r *Reader) Release() {
	if r.buf == nil || r.open || r.lo != r.hi {
		return
	}
	releaseRead(r.buf)
	r.buf = nil
	r.lo, r.hi, r.seen, r.pos, r.eol = 0, 0, 0, 0, 0
}

// next makes the next line of the source the current one. The line break is CRLF; LF alone is taken for it.
func (r *Reader) next() error {
	for {
		if i := bytes.IndexByte(r.buf[r.lo+r.seen:r.hi], '\n'); i >= 0 {
			r.pos, r.eol = r.lo, r.lo+r.seen+i
			r.lo, r.seen = r.eol+1, 0
			r.line += r.lo - r.pos
			if r.eol > r.pos && r.buf[r.eol-1] == '\r' {
				r.eol--
			}
			if r.line > r.limits.Line {
				return ErrTooLong
			}
			return nil
		}
		r.seen = r.hi - r.lo
		if r.line+r.seen > r.limits.Line {
			return ErrTooLong
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// fill reads once from the source behind what is buffered. The current line is lost.
func (r *Reader) fill() error {
	if r.buf == nil {
		r.buf = readPool.Get().(*[readBuffer]byte)[:]
	}
	if r.lo > 0 {
		copy(r.buf, r.buf[r.lo:r.hi])
		r.hi -= r.lo
		r.lo, r.pos, r.eol = 0, 0, 0
	}
	if r.hi == len(r.buf) {
		grown := make([]byte, 2*len(r.buf))
		copy(grown, r.buf)
		releaseRead(r.buf)
		r.buf = grown
	}
	n, err := read(r.src, r.buf[r.hi:])
	r.hi += n
	if errors.Is(err, io.EOF) && (r.open || r.hi > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// maxEmptyReads bounds reads that give neither bytes nor an error.
const maxEmptyReads = 100

// read reads at least one byte, or returns an error.
func read(src io.Reader, p []byte) (int, error) {
	for range maxEmptyReads {
		if n, err := src.Read(p); n > 0 {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// Discard skips the rest of the current command, with the non-synchronising literals in it. A synchronising literal whose
// continuation was not asked for ends the command: the client does not send it. After ErrTooLong the connection must end.
func (r *Reader) Discard() error {
	left := r.limits.Discard
	for r.open {
		size, more := r.literal.left, r.literal.reader != nil && !r.literal.waits
		if !more {
			size, more = r.trailing()
		}
		r.literal = Literal{}
		if !more {
			break
		}
		r.pos = r.eol
		if size > left {
			return ErrTooLong
		}
		left -= size
		if err := r.skip(size); err != nil {
			return err
		}
		r.line = 0
		if err := r.next(); err != nil {
			return err
		}
		left -= int64(r.line)
		if left < 0 {
			return ErrTooLong
		}
	}
	r.open, r.pos = false, r.eol
	return nil
}

// trailing returns the size of the non-synchronising literal that the current line ends with, if it is not read yet.
func (r *Reader) trailing() (size int64, ok bool) {
	rest := r.buf[r.pos:r.eol]
	i := bytes.LastIndexByte(rest, '{')
	if i < 0 {
		return 0, false
	}
	size, waits, err := literalSize(rest[i:])
	return size, err == nil && !waits
}

// skip reads past n bytes.
func (r *Reader) skip(n int64) error {
	for {
		k := min(n, int64(r.hi-r.lo))
		r.lo += int(k)
		n -= k
		r.seen = 0
		if n == 0 {
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}
