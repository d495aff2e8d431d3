package mime

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	textencoding "golang.org/x/text/encoding"
)

// toUTF8 returns text of a named character set as valid UTF-8: text itself if it is that already.
// Senders who name no set, or ASCII, and use other bytes mean UTF-8 if it can be that, and Windows-1252 otherwise.
func toUTF8(text []byte, charset string) []byte {
	switch {
	case charset == "", asciiFold(charset, "us-ascii"), asciiFold(charset, "ascii"):
		if utf8.Valid(text) {
			return text
		}
		return decode(text, charmap.Windows1252)
	case asciiFold(charset, "utf-8"), asciiFold(charset, "utf8"):
		return bytes.ToValidUTF8(text, []byte("\uFFFD"))
	case asciiFold(charset, "iso-8859-1"): // as every reader of mail takes it: Windows-1252 is the same but for control characters
		return decode(text, charmap.Windows1252)
	}
	if e := lookupCharset(charset); e != nil {
		return decode(text, e)
	}
	return toUTF8(text, "")
}

func asciiFold(s, t string) bool { return len(s) == len(t) && strings.EqualFold(s, t) }

// lookupCharset finds a character set by any of its names; nil if it is not known.
func lookupCharset(name string) textencoding.Encoding {
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	return nil
}

func decode(text []byte, e textencoding.Encoding) []byte {
	decoded, err := e.NewDecoder().Bytes(text)
	if err != nil {
		return bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return decoded
}
