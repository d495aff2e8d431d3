package imap

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// modified is the base64 of mailbox names (RFC 3501, 5.1.3).
var modified = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// encodeMailbox writes a UTF-8 name in modified UTF-7.
func encodeMailbox(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		if c := name[i]; c >= ' ' && c <= '~' {
			b.WriteByte(c)
			if c == '&' {
				b.WriteByte('-')
			}
			i++
			continue
		}
		var octets []byte
		for i < len(name) && (name[i] < ' ' || name[i] > '~') {
			char, size := utf8.DecodeRuneInString(name[i:])
			for _, unit := range utf16.AppendRune(nil, char) {
				octets = append(octets, byte(unit>>8), byte(unit))
			}
			i += size
		}
		b.WriteByte('&')
		b.WriteString(modified.EncodeToString(octets))
		b.WriteByte('-')
	}
	return b.String()
}

// decodeMailbox is the inverse. A name that is no modified UTF-7 comes back as it is: servers that speak UTF-8 send such.
func decodeMailbox(name string) string {
	if !strings.Contains(name, "&") {
		return name
	}
	var b strings.Builder
	for rest := name; rest != ""; {
		plain, shifted, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			break
		}
		text, after, ended := strings.Cut(shifted, "-")
		if !ended {
			return name
		}
		if rest = after; text == "" {
			b.WriteByte('&')
			continue
		}
		octets, err := modified.DecodeString(text)
		if err != nil || len(octets)%2 != 0 {
			return name
		}
		units := make([]uint16, 0, len(octets)/2)
		for i := 0; i < len(octets); i += 2 {
			units = append(units, uint16(octets[i])<<8|uint16(octets[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String()
}
