package wire

import (
	"unicode/utf8"
)

// String takes a quoted string or a literal.
func (r *Reader) String() (string, error) {
	switch r.Peek() {
	case '"':
		return r.quoted()
	case '{':
		return r.literalString(false)
	}
	return "", Bad("string is missing")
}

// AString takes an atom, in which "]" is accepted, or a string.
func (r *Reader) AString() (string, error) {
	if b := r.take(classAString); len(b) > 0 {
		return string(b), nil
	}
	return r.String()
}

// NString takes NIL or a string. ok is false for NIL.
func (r *Reader) NString() (s string, ok bool, err error) {
	if r.Nil() {
		return "", false, nil
	}
	s, err = r.String()
	return s, true, err
}

// NString8 takes NIL, a string or a literal8 (RFC 5464, section 5, value).
func (r *Reader) NString8() (s string, ok bool, err error) {
	if r.Peek() == '~' {
		s, err = r.literalString(true)
		return s, true, err
	}
	return r.NString()
}

// Nil takes NIL if that is next.
func (r *Reader) Nil() bool {
	i := r.pos
	if r.eol-i < 3 || r.buf[i]|0x20 != 'n' || r.buf[i+1]|0x20 != 'i' || r.buf[i+2]|0x20 != 'l' {
		return false
	}
	if r.eol-i > 3 && classes[r.buf[i+3]]&classAString != 0 {
		return false
	}
	r.pos += 3
	return true
}

// quoted takes a quoted string. Octets beyond ASCII must be UTF-8 (RFC 9051, section 4.3); they are accepted of clients that
// did not enable it too, because some do send them and they can mean nothing else.
func (r *Reader) quoted() (string, error) {
	i := r.pos + 1
	plain, ascii := true, true
	for ; i < r.eol && r.buf[i] != '"'; i++ {
		switch c := r.buf[i]; {
		case c == '\\':
			plain = false
			if i++; i == r.eol || r.buf[i] != '"' && r.buf[i] != '\\' {
				return "", Bad("backslash in quoted string; it is accepted before a quote or a backslash")
			}
		case c >= utf8.RuneSelf:
			ascii = false
		case c == 0 || c == '\r':
			return "", Bad("NUL or CR in quoted string")
		}
	}
	if i >= r.eol {
		return "", Bad("quoted string is not closed")
	}
	raw := r.buf[r.pos+1 : i]
	if !ascii && !utf8.Valid(raw) {
		return "", Bad("quoted string is not UTF-8")
	}
	r.pos = i + 1
	if plain {
		return string(raw), nil
	}
	unquoted := make([]byte, 0, len(raw))
	for j := 0; j < len(raw); j++ {
		if raw[j] == '\\' {
			j++
		}
		unquoted = append(unquoted, raw[j])
	}
	return string(unquoted), nil
}
