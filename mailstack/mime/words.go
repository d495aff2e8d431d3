package mime

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"strconv"

	"golang.org/x/text/transform"
)

// WordDecoder decodes encoded words (RFC 2047) in every character set that is in use, for parsers that want such a one.
var WordDecoder = &mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
	if e := lookupCharset(charset); e != nil {
		return transform.NewReader(r, e.NewDecoder()), nil
	}
	return nil, fmt.Errorf("charset: found %q; accepted: those that IANA lists", charset)
}}

// DecodeHeader returns an unfolded header value with its encoded words decoded (RFC 2047), valid UTF-8. A word in an unknown
// character set or encoding stays as it is.
func DecodeHeader(value string) string {
	return string(appendWords(nil, toUTF8([]byte(value), "")))
}

// appendWords appends text with its encoded words decoded, wherever they stand. White space between two of them is no part of the
// text (RFC 2047, 6.2); words of one set that follow each other are joined before they are decoded, because some senders split
// characters between them.
func appendWords(dst, src []byte) []byte {
	var run wordRun
	for {
		i := bytes.Index(src, []byte("=?"))
		if i < 0 {
			break
		}
		w, n := parseWord(src[i:])
		if n == 0 {
			dst = append(run.flush(dst), src[:i+2]...)
			src = src[i+2:]
			continue
		}
		if gap := src[:i]; run.charset == nil || len(bytes.Trim(gap, " \t\r\n")) > 0 {
			dst = append(run.flush(dst), gap...)
		}
		dst = run.add(dst, w)
		src = src[i+n:]
	}
	return append(run.flush(dst), src...)
}

// word is one encoded word.
type word struct {
	charset, text []byte
	base64        bool
}

// parseWord reads the encoded word that b begins with, and its length: 0 if there is none. Longer words than RFC 2047, 2
// allows, and such with spaces in them, are common.
func parseWord(b []byte) (w word, n int) {
	const longest = 1000
	limit := b[:min(len(b), longest)]
	charset, rest, ok := bytes.Cut(limit[2:], []byte("?"))
	charset, _, _ = bytes.Cut(charset, []byte("*")) // a language (RFC 2231, 5)
	if !ok || len(charset) == 0 || len(rest) < 2 || rest[1] != '?' {
		return word{}, 0
	}
	switch rest[0] {
	case 'B', 'b':
		w.base64 = true
	case 'Q', 'q':
	default:
		return word{}, 0
	}
	text, after, ok := bytes.Cut(rest[2:], []byte("?="))
	if !ok || bytes.ContainsAny(text, "\r\n") || !knownCharset(string(charset)) {
		return word{}, 0
	}
	w.charset, w.text = charset, text
	return w, len(limit) - len(after)
}

// wordRun collects the bytes of encoded words of one character set.
type wordRun struct {
	charset []byte // nil: none
	text    []byte
}

func (r *wordRun) add(dst []byte, w word) []byte {
	if r.charset != nil && !bytes.EqualFold(r.charset, w.charset) {
		dst = r.flush(dst)
	}
	r.charset = w.charset
	if w.base64 {
		r.text = appendBase64(r.text, w.text)
		return dst
	}
	for i := 0; i < len(w.text); i++ {
		c := w.text[i]
		switch c {
		case '_':
			c = ' '
		case '=':
			if o, ok := octet(w.text[i+1:]); ok {
				c = o
				i += 2
			}
		}
		r.text = append(r.text, c)
	}
	return dst
}

// flush appends what was collected, as UTF-8.
func (r *wordRun) flush(dst []byte) []byte {
	if r.charset != nil {
		dst = append(dst, toUTF8(r.text, string(r.charset))...)
		r.charset, r.text = nil, r.text[:0]
	}
	return dst
}

// appendExtended appends the values of the extended parameters (RFC 2231, 3 and 4) of a field, each on a line of its own: a
// file name beyond ASCII is written like that. Pieces of a value are taken in their order.
func appendExtended(dst []byte, f Field) []byte {
	rest := f.value()
	var base, charset, value []byte
	next := 0
	finish := func() {
		if len(base) > 0 {
			dst = append(append(dst, toUTF8(value, string(charset))...), '\n')
		}
		base, charset, value = nil, nil, nil
	}
	for len(rest) > 0 {
		var param []byte
		param, rest = cutParam(rest)
		key, v, _ := bytes.Cut(param, []byte("="))
		name, index, extended := cutStars(bytes.TrimSpace(key))
		if index < 0 {
			continue
		}
		if index == 0 || index != next || !bytes.EqualFold(name, base) {
			finish()
			base = name
		}
		next = index + 1
		v = bytes.Trim(bytes.TrimSpace(v), `"`)
		if index == 0 && extended {
			var tail []byte
			if charset, tail, _ = bytes.Cut(v, []byte("'")); tail != nil {
				_, v, _ = bytes.Cut(tail, []byte("'"))
			}
		}
		value = appendPercent(value, v, extended)
	}
	finish()
	return dst
}

// cutParam cuts at the first semicolon that is not in quotes.
func cutParam(b []byte) (param, rest []byte) {
	quoted := false
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// cutStars reads name*, name*0 and name*0*; index is -1 if there is no star.
func cutStars(key []byte) (name []byte, index int, extended bool) {
	name, tail, starred := bytes.Cut(key, []byte("*"))
	if !starred {
		return nil, -1, false
	}
	if len(tail) == 0 {
		return name, 0, true
	}
	tail, extended = bytes.CutSuffix(tail, []byte("*"))
	index, err := strconv.Atoi(string(tail))
	if err != nil || index < 0 {
		return nil, -1, false
	}
	return name, index, extended
}

func appendPercent(dst, v []byte, extended bool) []byte {
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '%' && extended {
			if o, ok := octet(v[i+1:]); ok {
				c = o
				i += 2
			}
		}
		dst = append(dst, c)
	}
	return dst
}
