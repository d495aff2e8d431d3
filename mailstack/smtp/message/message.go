// Package message reads and edits Internet messages (RFC 5322, RFC 2045) in place: everything it returns is a slice of the
// message it was given, byte for byte, however broken the message is. It never fails; what cannot be understood is left as is.
package message

import (
	"bytes"
	"strings"
)

var crlf = []byte("\r\n")

// CRLF returns raw with every line end as CRLF: bare CR and bare LF do not survive, as RFC 5321, 2.3.8 demands.
// It returns raw itself when there is nothing to change.
func CRLF(raw []byte) []byte {
	bare := 0
	for i, c := range raw {
		switch {
		case c == '\n' && (i == 0 || raw[i-1] != '\r'), c == '\r' && (i+1 == len(raw) || raw[i+1] != '\n'):
			bare++
		}
	}
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
			return raw[:end], raw[end:]
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
	Name string // as written; empty for a line that is no field
	Raw  []byte // whole, with folding and the last line end
}

// Value is the unfolded value without surrounding white space; encoded words stay encoded.
func (f Field) Value() string {
	_, value, found := bytes.Cut(f.Raw, []byte(":"))
	if !found {
		value = f.Raw
	}
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(string(value)))
}

// Is tells whether the field has the name, whatever the case.
func (f Field) Is(name string) bool { return strings.EqualFold(f.Name, name) }

// Fields returns the fields of a header in order; the empty line at the end is not among them.
func Fields(header []byte) []Field {
	var fields []Field
	for start := 0; start < len(header); {
		end := lineEnd(header, start)
		if blank(header[start:end]) {
			break
		}
		for end < len(header) && (header[end] == ' ' || header[end] == '\t') {
			end = lineEnd(header, end)
		}
		raw := header[start:end]
		name, _, found := bytes.Cut(raw, []byte(":"))
		field := Field{Raw: raw}
		if found {
			if n := strings.TrimRight(string(name), " \t"); !strings.ContainsAny(n, " \t\r\n") {
				field.Name = n
			}
		}
		fields = append(fields, field)
		start = end
	}
	return fields
}

// Get returns the value of the first field of that name, or "".
func Get(header []byte, name string) string {
	for _, f := range Fields(header) {
		if f.Is(name) {
			return f.Value()
		}
	}
	return ""
}

// Filter returns the fields for which keep is true, ended by an empty line.
func Filter(header []byte, keep func(Field) bool) []byte {
	var out []byte
	for _, f := range Fields(header) {
		if keep(f) {
			out = append(out, f.Raw...)
			if !bytes.HasSuffix(f.Raw, []byte("\n")) {
				out = append(out, crlf...)
			}
		}
	}
	return append(out, crlf...)
}
