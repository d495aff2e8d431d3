package smtp

import (
	"errors"
	"strings"
)

// Limits of a path in bytes (RFC 5321, 4.5.3.1).
const (
	maxLocal  = 64
	maxDomain = 255
)

var (
	errSyntax = errors.New("syntax error in address")
	errUTF8   = errors.New("address is not ASCII")
)

// Path is an envelope address. The zero value is the null reverse path.
type Path struct {
	Local  string // unquoted
	Domain string // as received; empty for the null path and for a bare <postmaster>
}

// Null reports whether it is the null reverse path.
func (p Path) Null() bool { return p == Path{} }

// String is the address as it stands between angle brackets; a local part is quoted when it must be.
func (p Path) String() string {
	if p.Null() {
		return ""
	}
	local := p.Local
	if !isDotString(local) {
		var b strings.Builder
		b.WriteByte('"')
		for i := range len(local) {
			if local[i] == '"' || local[i] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(local[i])
		}
		b.WriteByte('"')
		local = b.String()
	}
	if p.Domain == "" {
		return local
	}
	return local + "@" + p.Domain
}

// parsePath reads a path in angle brackets at the start of s (RFC 5321, 4.1.2) and returns what follows it.
// A source route is read over, as its appendix C has it.
func parsePath(s string) (p Path, rest string, err error) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return p, "", errUTF8
		}
		if s[i] < ' ' || s[i] == 0x7f {
			return p, "", errSyntax
		}
	}
	s, ok := strings.CutPrefix(s, "<")
	if !ok {
		return p, "", errSyntax
	}
	if rest, ok := strings.CutPrefix(s, ">"); ok {
		return p, rest, nil
	}
	if strings.HasPrefix(s, "@") {
		if _, s, ok = strings.Cut(s, ":"); !ok {
			return p, "", errSyntax
		}
	}
	if p.Local, s, ok = cutLocal(s); !ok || p.Local == "" || len(p.Local) > maxLocal {
		return p, "", errSyntax
	}
	if s, ok = strings.CutPrefix(s, "@"); ok {
		if p.Domain, s, ok = strings.Cut(s, ">"); !ok || !isDomain(p.Domain) {
			return p, "", errSyntax
		}
		return p, s, nil
	}
	s, ok = strings.CutPrefix(s, ">")
	if !ok || !strings.EqualFold(p.Local, "postmaster") { // RFC 5321, 4.5.1
		return p, "", errSyntax
	}
	return p, s, nil
}

func cutLocal(s string) (local, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, "@>")
		if i < 0 || !isDotString(s[:i]) {
			return "", "", false
		}
		return s[:i], s[i:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

func isDotString(s string) bool {
	if s == "" {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for i := range len(atom) {
			if !isAlnum(atom[i]) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", atom[i]) < 0 {
				return false
			}
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isDomain accepts a domain name or an address literal. Underscores occur in the names of senders.
func isDomain(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return isAll(s[1:len(s)-1], ".:") && len(s) > 2
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || !isAll(label, "-_") {
			return false
		}
	}
	return true
}

func isAll(s, more string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}
