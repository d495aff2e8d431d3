package wire

import (
	"strings"
	"unicode/utf8"
)

// String writes a quoted string, or a literal if s cannot be quoted. NUL, which no string may hold, is left out.
func (w *Writer) String(s string) {
	if plain(s) {
		w.Quoted(s)
		return
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if strings.ContainsAny(s, "\r\n") || !(ascii(s) || w.UTF8 && utf8.ValidString(s)) {
		w.literal(int64(len(s)))
		w.Raw(s)
		return
	}
	w.escaped(s)
}

// Quoted writes a quoted string of s, which holds printable ASCII without quotes and backslashes.
func (w *Writer) Quoted(s string) {
	if len(s)+2 > writeBuffer {
		w.Byte('"')
		w.Raw(s)
		w.Byte('"')
		return
	}
	w.room(len(s) + 2)
	w.buf = append(append(append(w.buf, '"'), s...), '"')
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// escaped writes a quoted string that holds quotes or backslashes.
func (w *Writer) escaped(s string) {
	w.Byte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			w.Byte('\\')
		}
		w.Byte(s[i])
	}
	w.Byte('"')
}

// NString writes a string, or NIL if ok is false.
func (w *Writer) NString(s string, ok bool) {
	if ok {
		w.String(s)
	} else {
		w.Nil()
	}
}

// AString writes s as an atom if it is made of letters, digits and ".-_/", as a string otherwise.
func (w *Writer) AString(s string) {
	for i := range len(s) {
		if classes[s[i]]&classKeyword == 0 && s[i] != '/' {
			w.String(s)
			return
		}
	}
	if s == "" || strings.EqualFold(s, "NIL") {
		w.String(s)
		return
	}
	w.Raw(s)
}

// Mailbox writes the name of a mailbox, in modified UTF-7 unless UTF8 is set (RFC 3501, section 5.1.3).
func (w *Writer) Mailbox(name string) {
	w.AString(w.encoded(name))
}

// Prefix writes the prefix of a namespace, which is always quoted (RFC 2342, section 5).
func (w *Writer) Prefix(name string) {
	w.String(w.encoded(name))
}

// encoded returns the name of a mailbox as the client takes it.
func (w *Writer) encoded(name string) string {
	if w.UTF8 || strings.IndexByte(name, '&') < 0 && printable(name) {
		return name
	}
	return string(AppendUTF7(nil, name))
}

// Text writes text for people at the end of a response: what may not be there becomes "?".
func (w *Writer) Text(s string) {
	if printable(s) {
		w.Raw(s)
		return
	}
	for _, c := range s {
		switch {
		case c < 0x20 || c == 0x7f || c >= utf8.RuneSelf && !w.UTF8:
			w.Byte('?')
		default:
			w.room(utf8.UTFMax)
			w.buf = utf8.AppendRune(w.buf, c)
		}
	}
}
