package mime

import (
	"bytes"
	"iter"
	"strings"
)

var crlf = []byte("\r\n")

// CRLF returns raw with every line end as CRLF: bare CR and bare LF do not survive, as RFC 5321, 2.3.8 demands.
// It returns raw itself when there is nothing to change.
func CRLF(raw []byte) []byte {
	ends, lines := 0, 0 // LF, and those behind a CR
	for at := 0; ; {
		i := bytes.IndexByte(raw[at:], '\n')
		if i < 0 {
			break
		}
		if at += i; at > 0 && raw[at-1] == '\r' {
			lines++
		}
		ends++
		at++
	}
	bare := ends + bytes.Count(raw, []byte{'\r'}) - 2*lines
	if bare == 0 {
		return raw
	}
	out := make([]byte, 0, len(raw)+bare)
	for i, c := range raw {
		switch {
		case c == '\n' && (i == 0 || raw[i-1] != '\r'), c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n'):
			out = append(out, '\r', '\n')
		default:
			out = append(out, c)
		}
	}
	return out
}

// Split divides a message, or a part of one, into its header with the empty line that ends it, and its body.
// Without an empty line all is header.
func Split(raw []byte) (header, body []byte) {
	for start := 0; start < len(raw); {
		end := lineEnd(raw, start)
		if blank(raw[start:end]) {
			return raw[:end:end], raw[end:]
		}
		start = end
	}
	return raw, nil
}

// blank tells whether a line is the one that ends a header.
func blank(line []byte) bool { return string(line) == "\r\n" || string(line) == "\n" }

// lineEnd returns the index after the line that starts at start.
func lineEnd(raw []byte, start int) int {
	if i := bytes.IndexByte(raw[start:], '\n'); i >= 0 {
		return start + i + 1
	}
	return len(raw)
}

// Field is one header field.
type Field struct {
	Raw  []byte // whole, with folding and the last line end
	name int    // length of the name; 0 for a line that is no field
}

// Name is the name as written; empty for a line that is no field.
func (f Field) Name() string { return string(f.Raw[:f.name]) }

// Is tells whether the field has the name, whatever the case.
func (f Field) Is(name string) bool { return len(name) == f.name && equalFold(f.Raw[:f.name], name) }

// Value is the unfolded value without surrounding white space; encoded words stay encoded.
func (f Field) Value() string {
	v := bytes.TrimSpace(f.value())
	if bytes.IndexByte(v, '\n') < 0 && bytes.IndexByte(v, '\r') < 0 {
		return string(v)
	}
	var b strings.Builder
	b.Grow(len(v))
	for _, c := range v {
		if c != '\r' && c != '\n' {
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String())
}

// value is what follows the colon, as it stands.
func (f Field) value() []byte {
	if i := bytes.IndexByte(f.Raw, ':'); i >= 0 {
		return f.Raw[i+1:]
	}
	return f.Raw
}

// equalFold compares with ASCII letters of either case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if x := b[i] ^ s[i]; x != 0 && (x != 0x20 || b[i]|0x20 < 'a' || b[i]|0x20 > 'z') {
			return false
		}
	}
	return true
}

// Fields are the fields of a header in order; the empty line at the end is not among them.
func Fields(header []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for start := 0; start < len(header); {
			end := lineEnd(header, start)
			if blank(header[start:end]) {
				return
			}
			for end < len(header) && (header[end] == ' ' || header[end] == '\t') {
				end = lineEnd(header, end)
			}
			if !yield(newField(header[start:end:end])) {
				return
			}
			start = end
		}
	}
}

// newField finds the name: all before the colon; white space before the colon does not count (RFC 5322, 4.5).
func newField(raw []byte) Field {
	name := 0
	for i, c := range raw {
		switch {
		case c == ':':
			return Field{Raw: raw, name: name}
		case c > ' ' && name == i:
			name++
		case c != ' ' && c != '\t':
			return Field{Raw: raw}
		}
	}
	return Field{Raw: raw}
}

// Lookup returns the first field of that name.
func Lookup(header []byte, name string) (Field, bool) {
	for f := range Fields(header) {
		if f.Is(name) {
			return f, true
		}
	}
	return Field{}, false
}

// Get returns the value of the first field of that name, or "".
func Get(header []byte, name string) string {
	if f, ok := Lookup(header, name); ok {
		return f.Value()
	}
	return ""
}

// Filter returns the fields for which keep is true, ended by an empty line.
func Filter(header []byte, keep func(Field) bool) []byte {
	var out []byte
	for f := range Fields(header) {
		if keep(f) {
			out = append(out, f.Raw...)
			if !bytes.HasSuffix(f.Raw, crlf[1:]) {
				out = append(out, crlf...)
			}
		}
	}
	return append(out, crlf...)
}
