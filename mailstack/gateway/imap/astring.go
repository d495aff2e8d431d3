package imap

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// astring is an atom, a quoted string or a literal (RFC 9051, 9). Quoted strings may hold UTF-8: passwords do.
func (r *reader) astring() (string, error) {
	next, err := r.r.Peek(1)
	if err != nil {
		return "", err
	}
	switch next[0] {
	case '"':
		return r.quoted()
	case '{':
		return r.literal()
	}
	s, err := r.word(r.limit, isAstringChar)
	if err == nil && s == "" {
		return "", errSyntax
	}
	return s, err
}

func (r *reader) quoted() (string, error) {
	r.byte() // the quote
	var b strings.Builder
	for {
		c, err := r.byte()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			if !utf8.ValidString(b.String()) {
				return "", errSyntax
			}
			return b.String(), nil
		case '\\':
			if c, err = r.byte(); err != nil {
				return "", err
			}
			if c != '"' && c != '\\' {
				return "", errSyntax
			}
		case '\r', '\n', 0:
			return "", errSyntax
		}
		b.WriteByte(c)
	}
}

// literal reads {n} or {n+} (RFC 7888), CRLF and n bytes.
func (r *reader) literal() (string, error) {
	r.byte() // the brace
	digits, err := r.word(10, func(c byte) bool { return '0' <= c && c <= '9' })
	if errors.Is(err, errSyntax) {
		return "", errLiteral
	}
	if err != nil {
		return "", err
	}
	wait := true
	if next, err := r.r.Peek(1); err != nil {
		return "", err
	} else if next[0] == '+' {
		r.byte()
		wait = false
	}
	if err := r.expect('}'); err != nil {
		return "", err
	}
	if err := r.end(); err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n > maxLiteral {
		return "", errLiteral // a peer that does not wait sends it all the same: what follows is no command
	}
	if wait {
		if err := r.write("+ Ready\r\n"); err != nil {
			return "", err
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return "", err
	}
	if strings.ContainsRune(string(b), 0) {
		return "", errLiteral
	}
	return string(b), nil
}
