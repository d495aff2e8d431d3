package mime

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// joinLines joins the lines of a text that a preview shows, and tells whether there was more than enough. It reads on for a
// while after that: an attribution goes when a quotation follows.
func joinLines(text []byte, quotes bool) (line string, enough bool) {
	b := lineBuilder{text: make([]byte, 0, 1<<10)}
	paragraph := 0 // where the one being read begins in the result
	for len(text) > 0 && !b.full() {
		end := lineEnd(text, 0)
		line := bytes.TrimSpace(text[:end])
		text = text[end:]
		switch {
		case len(line) == 0:
			paragraph = len(b.text)
		case line[0] == '>' && !quotes:
			// "On Monday, Kossi wrote:" goes with what Kossi wrote.
			if bytes.HasSuffix(b.text[paragraph:], []byte(":")) {
				b.text = b.text[:paragraph]
				b.runes = utf8.RuneCount(b.text)
			}
			paragraph = len(b.text)
		case string(line) == "--" && len(b.text) > 0: // a signature (RFC 3676, 4.3)
			return b.line(), len(text) > 0 // the last line may be the beginning of a longer one
		case isRule(line):
			paragraph = len(b.text)
		default:
			b.add(bytes.TrimLeft(line, "> "))
		}
	}
	return b.line(), b.full()
}

// isRule tells whether a line is an ornament: three or more of ASCII's signs.
func isRule(line []byte) bool {
	for _, c := range line {
		if c >= utf8.RuneSelf || letter(c) || '0' <= c && c <= '9' {
			return false
		}
	}
	return len(line) > 2
}

// lineBuilder collects text as one line: single spaces for white space, nothing for what cannot be seen.
type lineBuilder struct {
	text  []byte
	runes int
}

// full tells that nothing that follows matters.
func (b *lineBuilder) full() bool { return b.runes > 2*previewRunes }

// add appends a line as far as there is room.
func (b *lineBuilder) add(text []byte) {
	space := len(b.text) > 0
	for len(text) > 0 && !b.full() {
		if n := asciiWord(text); n > 0 { // most of all text
			b.space(&space)
			b.text = append(b.text, text[:n]...)
			b.runes += n
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case unicode.IsSpace(r) || r == '\u2800': // Braille's blank fills many a newsletter
			space = len(b.text) > 0
		case r == '\u200d' && !space && len(b.text) > 0: // joins emoji
			b.text = utf8.AppendRune(b.text, r)
		case !unicode.IsLetter(r) && unicode.In(r, unicode.Cc, unicode.Cf) || r == '\u034f': // directions, soft hyphens, fillers
		default:
			b.space(&space)
			b.text = utf8.AppendRune(b.text, r)
			b.runes++
		}
	}
}

// asciiWord is the length of what text begins with that can be seen and is ASCII.
func asciiWord(text []byte) int {
	n := 0
	for n < len(text) && ' ' < text[n] && text[n] < 0x7f {
		n++
	}
	return n
}

// space appends a space if one is due.
func (b *lineBuilder) space(due *bool) {
	if *due {
		b.text = append(b.text, ' ')
		b.runes++
		*due = false
	}
}

// line is the text, cut where a preview ends.
func (b *lineBuilder) line() string {
	runes := 0
	for i := range string(b.text) {
		if runes == previewRunes {
			return strings.TrimSpace(string(b.text[:i]))
		}
		runes++
	}
	return strings.TrimSpace(string(b.text))
}
