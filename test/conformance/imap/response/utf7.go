package response

import (
	"encoding/base64"
	"unicode/utf16"
)

var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// validUTF7 tells whether a mailbox name is modified UTF-7 as RFC 3501 section 5.1.3 wants it: printable US-ASCII as
// itself, everything else shifted, no needless or empty shifts.
func validUTF7(name string) bool {
	afterShift := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < ' ' || c > '~' {
			return false
		}
		if c != '&' {
			afterShift = false
			continue
		}
		end := i + 1
		for end < len(name) && name[end] != '-' {
			end++
		}
		if end == len(name) {
			return false
		}
		if end == i+1 { // "&-" is "&"
			i, afterShift = end, false
			continue
		}
		if afterShift || !validShift(name[i+1:end]) {
			return false
		}
		i, afterShift = end, true
	}
	return true
}

func validShift(text string) bool {
	raw, err := utf7Base64.DecodeString(text)
	if err != nil || len(raw)%2 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 2 {
		r := rune(raw[i])<<8 | rune(raw[i+1])
		switch {
		case r >= ' ' && r <= '~', r == 0:
			return false
		case utf16.IsSurrogate(r):
			if i += 2; i >= len(raw) || utf16.DecodeRune(r, rune(raw[i])<<8|rune(raw[i+1])) == '\uFFFD' {
				return false
			}
		}
	}
	return true
}
