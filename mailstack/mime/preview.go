package mime

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	previewRunes = 200       // RFC 8970, 3.2
	previewBytes = 256 << 10 // of the encoded text that is looked at; style sheets come first in some HTML
	previewFirst = 4 << 10   // of it that are enough in most mail
	previewDepth = 20        // of parts in parts
	previewParts = 100       // that are looked at
)

// Preview returns the beginning of what a person reads first in a message (RFC 8970, 3.2): one line of at most 200 characters,
// valid UTF-8, without markup, quotations and signature; "" if there is nothing to read.
func Preview(raw []byte) string {
	p := previewer{parts: previewParts}
	return p.part(Whole(raw), 0)
}

// previewer holds how many parts may still be looked at.
type previewer struct{ parts int }

// part returns the preview of a part: that of the first part in it that has one.
func (p *previewer) part(part Part, depth int) string {
	if p.parts--; p.parts < 0 || depth > previewDepth {
		return ""
	}
	c := part.ContentType()
	switch {
	case c.isMultipart():
		return p.multipart(part, depth)
	case c.isMessage():
		return p.part(Whole(part.Body), depth+1)
	case c.Media != "text/plain" && c.Media != "text/html", attached(part):
		return ""
	}
	f, _ := Lookup(part.Header, "Content-Transfer-Encoding")
	transfer, charset := transferEncoding(f), c.Param("charset")
	for _, size := range [...]int{previewFirst, previewBytes} {
		size = min(len(part.Body), size)
		text, ok := decodedBody(part.Body[:size], transfer)
		if !ok {
			break
		}
		line, enough := previewText(toUTF8(text, charset), c.Media == "text/html")
		if enough || size == len(part.Body) || size == previewBytes {
			return line
		}
	}
	return ""
}

// previewText makes one line of a text; enough tells that nothing that follows would change it. If nothing is left without
// quotations, they are taken.
func previewText(text []byte, html bool) (line string, enough bool) {
	plain := text
	if html {
		plain = appendHTML(nil, text, false)
	}
	if line, enough = joinLines(plain, false); line != "" {
		return line, enough
	}
	if html {
		plain = appendHTML(nil, text, true)
	}
	line, _ = joinLines(plain, true)
	return line, false
}

// multipart takes the first part that has a preview; alternatives come plainest first (RFC 2046, 5.1.4).
func (p *previewer) multipart(part Part, depth int) string {
	for child := range part.Parts() {
		if line := p.part(child, depth+1); line != "" {
			return line
		}
		if p.parts <= 0 {
			break
		}
	}
	return ""
}

// attached tells whether a part is to be saved rather than shown (RFC 2183, 2.2).
func attached(p Part) bool {
	f, ok := Lookup(p.Header, "Content-Disposition")
	const attachment = "attachment"
	v := bytes.TrimLeft(f.value(), " \t\r\n")
	return ok && len(v) >= len(attachment) && equalFold(v[:len(attachment)], attachment)
}

// joinLines joins the lines of a text that a preview shows, and tells whether there was more than enough.
func joinLines(text []byte, quotes bool) (line string, enough bool) {
	var b lineBuilder
	paragraph := 0 // where the one being read begins in the result
	for len(text) > 0 && b.runes <= 2*previewRunes {
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
			return b.line(), true
		case isRule(line):
			paragraph = len(b.text)
		default:
			b.add(bytes.TrimLeft(line, "> "))
		}
	}
	return b.line(), b.runes > 2*previewRunes
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

func (b *lineBuilder) add(text []byte) {
	space := len(b.text) > 0
	for _, r := range string(text) {
		switch {
		case ' ' < r && r < 0x7f:
			b.put(r, &space)
		case ' ' < r && r < 0x7f && !space: // most of all text
			b.text = append(b.text, byte(r))
			b.runes++
		case unicode.IsSpace(r) || r == '\u2800': // Braille's blank fills many a newsletter
			space = len(b.text) > 0
		case r == '\u200d' && !space && len(b.text) > 0: // joins emoji
			b.text = utf8.AppendRune(b.text, r)
		case unicode.In(r, unicode.Cc, unicode.Cf) || r == '\u034f': // directions, soft hyphens, fillers
		default:
			b.put(r, &space)
		}
	}
}

// put appends a character, with a space before it if one is due.
func (b *lineBuilder) put(r rune, space *bool) {
	if *space {
		b.text = append(b.text, ' ')
		b.runes++
		*space = false
	}
	b.text = utf8.AppendRune(b.text, r)
	b.runes++
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
