package response

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// Bounds of what one response may take, in octets.
const (
	maxLine    = 8 << 20
	maxLiteral = 64 << 20
)

// Reader cuts a stream into responses.
type Reader struct {
	r *bufio.Reader
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64<<10)} }

// Buffered tells how many octets came beyond the response that was read last.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// Next returns the next response without its final CRLF, its literals in place after their announcement. Lines that
// end otherwise than in CRLF, and NUL outside of literal8, are reported as a SyntaxError with the octets read.
func (r *Reader) Next() ([]byte, error) {
	var all []byte
	for {
		line, err := r.line()
		all = append(all, line...)
		if err != nil {
			return all, err
		}
		size, binary, ok := announced(all)
		if !ok {
			return all, nil
		}
		if size > maxLiteral {
			return all, &SyntaxError{Raw: string(all), Pos: len(all), Want: "a literal of a bearable size"}
		}
		start := len(all) + 2
		all = append(all, '\r', '\n')
		all = append(all, make([]byte, size)...)
		if _, err := io.ReadFull(r.r, all[start:]); err != nil {
			return all, fmt.Errorf("cannot read a literal of %d octets: %w", size, err)
		}
		if !binary && bytes.IndexByte(all[start:], 0) >= 0 {
			// RFC 9051 section 9: literal = "{" number64 "}" CRLF *CHAR8, and CHAR8 is %x01-ff.
			return all, &SyntaxError{Raw: string(all), Pos: start + bytes.IndexByte(all[start:], 0), Want: "no NUL in a literal"}
		}
	}
}

// line reads up to CRLF and returns the octets before it.
func (r *Reader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		line = append(line, part...)
		if err == bufio.ErrBufferFull && len(line) < maxLine {
			continue
		}
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return line, err
		}
		break
	}
	if !bytes.HasSuffix(line, []byte("\r\n")) {
		return line, &SyntaxError{Raw: string(line), Pos: len(line) - 1, Want: "CRLF, not a bare LF"}
	}
	line = line[:len(line)-2]
	if i := bytes.IndexAny(line, "\r\x00"); i >= 0 {
		return line, &SyntaxError{Raw: string(line), Pos: i, Want: "neither CR nor NUL in a line"}
	}
	return line, nil
}

// announced tells whether what was read so far ends with the announcement of a literal. Text of status responses may
// end in the same way and is none, RFC 9051 section 9 (resp-text).
func announced(all []byte) (size int, binary, ok bool) {
	if len(all) == 0 || all[len(all)-1] != '}' || isStatusLine(all) {
		return 0, false, false
	}
	open := bytes.LastIndexByte(all, '{')
	if open < 0 {
		return 0, false, false
	}
	n, err := strconv.ParseUint(string(all[open+1:len(all)-1]), 10, 32)
	if err != nil {
		return 0, false, false
	}
	return int(n), open > 0 && all[open-1] == '~', true
}

func isStatusLine(all []byte) bool {
	_, rest, ok := bytes.Cut(all, []byte(" "))
	if !ok || bytes.HasPrefix(all, []byte("+")) {
		return true
	}
	word, _, _ := bytes.Cut(rest, []byte(" "))
	switch string(bytes.ToUpper(word)) {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return true
	}
	return false
}
