package order

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Casemap returns the sort key of s under i;unicode-casemap (RFC 5051, section 2): characters in title case, then decomposed;
// two keys compare byte by byte. What is not UTF-8 becomes U+FFFD.
func Casemap(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'a' <= c && c <= 'z' {
			return casemap(s, i)
		}
	}
	return s
}

// casemap does the work from byte from on; before it nothing changes.
func casemap(s string, from int) string {
	b := make([]byte, from, len(s)+8)
	copy(b, s)
	for _, r := range s[from:] {
		switch {
		case 'a' <= r && r <= 'z':
			b = append(b, byte(r)-0x20)
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		default:
			var char [utf8.UTFMax]byte
			b = norm.NFKD.Append(b, char[:utf8.EncodeRune(char[:], unicode.ToTitle(r))]...)
		}
	}
	return string(b)
}
