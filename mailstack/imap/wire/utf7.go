package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// modifiedBase64 is the alphabet of modified UTF-7 (RFC 3501, section 5.1.3).
var modifiedBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// DecodeUTF7 decodes modified UTF-7 (RFC 3501, section 5.1.3). Only the one encoding that the RFC gives a name is accepted:
// two names on the wire are never one mailbox.
func DecodeUTF7(s string) (string, bool) {
	if strings.IndexByte(s, '&') < 0 {
		return s, printable(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for afterShift := false; ; afterShift = true {
		plain, rest, shifted := strings.Cut(s, "&")
		if !printable(plain) {
			return "", false
		}
		b.WriteString(plain)
		if !shifted {
			return b.String(), true
		}
		code, after, closed := strings.Cut(rest, "-")
		switch {
		case !closed:
			return "", false
		case code == "":
			b.WriteByte('&')
			// "&-" is not a shift: one may follow at once.
		case afterShift && plain == "" && !strings.HasSuffix(b.String(), "&"):
			return "", false // two shifts where one holds both
		default:
			if !decodeShift(&b, code) {
				return "", false
			}
		}
		s = after
	}
}

// decodeShift decodes what is between "&" and "-". There are no characters in it that have a plain form.
func decodeShift(b *strings.Builder, code string) bool {
	raw, err := modifiedBase64.DecodeString(code)
	if err != nil || len(raw)%2 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 2 {
		c := rune(raw[i])<<8 | rune(raw[i+1])
		if utf16.IsSurrogate(c) {
			if i += 2; i >= len(raw) {
				return false
			}
			c = utf16.DecodeRune(c, rune(raw[i])<<8|rune(raw[i+1]))
			if c == utf8.RuneError {
				return false
			}
		}
		if 0x20 <= c && c < 0x7f {
			return false
		}
		b.WriteRune(c)
	}
	return true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// AppendUTF7 appends s, which is UTF-8, in modified UTF-7 (RFC 3501, section 5.1.3).
func AppendUTF7(dst []byte, s string) []byte {
	var raw []byte
	for len(s) > 0 {
		if c := s[0]; 0x20 <= c && c <= 0x7e {
			dst, s = append(dst, c), s[1:]
			if c == '&' {
				dst = append(dst, '-')
			}
			continue
		}
		raw = raw[:0]
		for len(s) > 0 && (s[0] < 0x20 || s[0] > 0x7e) {
			c, n := utf8.DecodeRuneInString(s)
			if high, low := utf16.EncodeRune(c); high != utf8.RuneError {
				raw = append(raw, byte(high>>8), byte(high), byte(low>>8), byte(low))
			} else {
				raw = append(raw, byte(c>>8), byte(c))
			}
			s = s[n:]
		}
		dst = append(modifiedBase64.AppendEncode(append(dst, '&'), raw), '-')
	}
	return dst
}
