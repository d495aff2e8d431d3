package structure

import "strings"

// parameter is one of a structured field (RFC 2045, 5.1), as it is written: those of RFC 2231 have "*" in their name.
type parameter struct{ name, value string }

func has(params []parameter, name string) bool {
	for _, p := range params {
		if p.name == name {
			return true
		}
	}
	return false
}

func (w *writer) params(params []parameter) {
	if len(params) == 0 {
		w.raw("NIL")
		return
	}
	w.raw("(")
	for i, p := range params {
		if i > 0 {
			w.sp()
		}
		w.str(p.name)
		w.sp()
		w.str(p.value)
	}
	w.raw(")")
}

// splitParameters divides a field's value at its semicolons, as far as it makes sense: comments go, quoted strings lose their
// quotes, names are in lower case.
func splitParameters(field string) (value string, params []parameter) {
	first, rest := nextParameter(field)
	for value = first; rest != "" && len(params) < maxParams; {
		var text string
		text, rest = nextParameter(rest[1:])
		if name, v, ok := strings.Cut(text, "="); ok {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				params = append(params, parameter{name, strings.TrimSpace(v)})
			}
		}
	}
	return value, params
}

// nextParameter reads up to a semicolon, which begins rest.
func nextParameter(s string) (text, rest string) {
	plain := strings.IndexAny(s, `;"(\`)
	switch {
	case plain < 0:
		return strings.TrimSpace(s), ""
	case s[plain] == ';':
		return strings.TrimSpace(s[:plain]), s[plain:]
	}
	var b strings.Builder
	b.WriteString(s[:plain])
	quoted, depth := false, 0
	for i := plain; i < len(s); i++ {
		c := s[i]
		if c == '\\' && (quoted || depth > 0) && i+1 < len(s) {
			i++
			if depth == 0 {
				b.WriteByte(s[i])
			}
			continue
		}
		switch {
		case depth > 0:
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
		case c == '"':
			quoted = !quoted
		case quoted:
			b.WriteByte(c)
		case c == '(':
			depth++
		case c == ';':
			return strings.TrimSpace(b.String()), s[i:]
		default:
			b.WriteByte(c)
		}
	}
	return strings.TrimSpace(b.String()), ""
}
