package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

var errTooLarge = Fail(552, 5, 3, 4, "Message is too large")

// dataReader gives the message that follows a 354 reply, without dot-stuffing, CRLF line ends kept. It gives io.EOF at
// CRLF "." CRLF and io.ErrUnexpectedEOF when the connection ends before (RFC 5321, 4.1.1.4 and 4.5.2). A bare LF ends
// no line here: what looks like an end of data to a laxer server is text (SMTP smuggling).
type dataReader struct {
	r     *bufio.Reader
	left  int64 // of the size limit; -1: none
	state dataState
	ended bool  // the end mark has been read
	err   error // sticky
}

type dataState byte

const (
	atLineStart dataState = iota
	afterDot
	afterDotCR
	inLine
	afterCR
)

func newDataReader(r *bufio.Reader, limit int64) *dataReader {
	if limit <= 0 {
		limit = -1
	}
	return &dataReader{r: r, left: limit}
}

func (d *dataReader) Read(b []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n := 0
	for n < len(b) {
		// Never wait for more while there is something to hand out.
		if n > 0 && d.r.Buffered() == 0 {
			return n, nil
		}
		chunk, err := d.r.Peek(max(1, min(d.r.Buffered(), len(b)-n)))
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			d.err = err
			return n, err
		}
		used, out, done := d.feed(b[n:], chunk)
		d.r.Discard(used)
		d.ended = done
		if d.left >= 0 {
			if d.left -= int64(out); d.left < 0 {
				d.err = errTooLarge
				return n, d.err
			}
		}
		n += out
		if done {
			d.err = io.EOF
			return n, io.EOF
		}
	}
	return n, nil
}

// feed moves src through the state machine to dst until one of them is used up or the message ends.
func (d *dataReader) feed(dst, src []byte) (used, out int, done bool) {
	for used < len(src) && out < len(dst) {
		c := src[used]
		switch d.state {
		case inLine: // most of the text: as far as the next CR at one go
			text := src[used:min(len(src), used+len(dst)-out)]
			if i := bytes.IndexByte(text, '\r'); i > 0 {
				text = text[:i]
			}
			if c != '\r' {
				out += copy(dst[out:], text)
				used += len(text)
				continue
			}
			d.state = afterCR
		case atLineStart:
			if c == '.' {
				d.state = afterDot
				used++
				continue
			}
			d.state = next(c)
		case afterDot:
			if c == '\r' {
				d.state = afterDotCR
				used++
				continue
			}
			d.state = next(c)
		case afterDotCR:
			if c == '\n' {
				return used + 1, out, true
			}
			dst[out] = '\r' // it was held back, and is text
			out++
			d.state = afterCR
			continue
		case afterCR:
			d.state = next(c)
			if c == '\n' {
				d.state = atLineStart
			}
		}
		dst[out] = c
		out++
		used++
	}
	return used, out, false
}

func next(c byte) dataState {
	if c == '\r' {
		return afterCR
	}
	return inLine
}

// drain reads the rest of the message, so that the dialogue can go on. It gives up after limit bytes.
func (d *dataReader) drain(limit int64) error {
	if d.ended {
		return nil
	}
	if d.err != nil && !errors.Is(d.err, errTooLarge) {
		return d.err
	}
	d.err, d.left = nil, -1
	n, err := io.Copy(io.Discard, io.LimitReader(d, limit))
	if err == nil && n == limit {
		return errTooLarge
	}
	return err
}
