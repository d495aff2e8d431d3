package structure

import "strconv"

// writer writes values of the items, with what is left of the bounds for one message.
type writer struct {
	b     []byte
	parts int
	text  int
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) sp() { w.b = append(w.b, ' ') }

func (w *writer) number(n int) { w.b = strconv.AppendInt(w.b, int64(n), 10) }

// nstring writes a value; one that is empty is NIL.
func (w *writer) nstring(s string) {
	if s == "" {
		w.raw("NIL")
		return
	}
	w.str(s)
}

// str writes a value as it is but for control characters, which no string may hold or no client wants to see. Octets beyond
// ASCII stand in a literal (RFC 9051, 4.3). A message that has used up its share of text has no more of it.
func (w *writer) str(s string) {
	control, special, octets := false, false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			control = true
		case c == '"' || c == '\\':
			special = true
		case c >= 0x80:
			octets = true
		}
	}
	if control {
		s = clean(s)
	}
	if len(s) > w.text {
		w.text = 0
		s, octets = "", false
	}
	w.text -= len(s)
	switch {
	case octets:
		w.raw("{")
		w.number(len(s))
		w.raw("}\r\n")
		w.raw(s)
	case special:
		w.raw(`"`)
		for i := range len(s) {
			if s[i] == '"' || s[i] == '\\' {
				w.b = append(w.b, '\\')
			}
			w.b = append(w.b, s[i])
		}
		w.raw(`"`)
	default:
		w.raw(`"`)
		w.raw(s)
		w.raw(`"`)
	}
}

// clean takes control characters out; tabs become spaces. Bytes that are no UTF-8 stay as they are.
func clean(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\t':
			b = append(b, ' ')
		case c >= ' ' && c != 0x7f:
			b = append(b, c)
		}
	}
	return string(b)
}
