package mime

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// isUTF8 tells whether text of a named character set needs no decoding.
func isUTF8(text []byte, charset string) bool {
	return (isASCII(charset) || isUnicode(charset)) && utf8.Valid(text)
}

func isASCII(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii")
}

func isUnicode(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// isLatin covers ISO 8859-1, which everybody takes for Windows-1252: they differ in control characters only.
func isLatin(charset string) bool {
	return strings.EqualFold(charset, "iso-8859-1") || strings.EqualFold(charset, "windows-1252") || strings.EqualFold(charset, "latin1")
}

// toUTF8 returns text of a named character set as valid UTF-8: text itself if it is that already.
func toUTF8(text []byte, charset string) []byte {
	if isUTF8(text, charset) {
		return text
	}
	return appendUTF8(make([]byte, 0, len(text)+len(text)/8), text, charset)
}

// appendUTF8 appends text of a named character set as valid UTF-8. Senders who name ASCII, no set or one that does not exist and
// use other bytes mean UTF-8 if it can be that, and Windows-1252 if it cannot.
func appendUTF8(dst, text []byte, charset string) []byte {
	if isUnicode(charset) {
		return append(dst, bytes.ToValidUTF8(text, []byte("\uFFFD"))...)
	}
	if !isASCII(charset) && !isLatin(charset) {
		if e := lookupCharset(charset); e != nil {
			if decoded, err := e.NewDecoder().Bytes(text); err == nil {
				return append(dst, decoded...)
			}
		}
		if utf8.Valid(text) {
			return append(dst, text...)
		}
	}
	for _, c := range text {
		if c < utf8.RuneSelf {
			dst = append(dst, c)
		} else {
			dst = append(dst, latin[c-utf8.RuneSelf]...)
		}
	}
	return dst
}

// latin is the upper half of Windows-1252.
var latin = func() (t [128]string) {
	for i := range t {
		t[i] = string(charmap.Windows1252.DecodeByte(byte(i + utf8.RuneSelf)))
	}
	return t
}()

// lookupCharset finds a character set by any of its names; nil if it is not known.
func lookupCharset(name string) encoding.Encoding {
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	return nil
}

// knownCharset tells whether appendUTF8 knows a character set.
func knownCharset(name string) bool {
	return isASCII(name) || isUnicode(name) || isLatin(name) || lookupCharset(name) != nil
}
