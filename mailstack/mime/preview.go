package mime

import (
	"bytes"
	"unicode/utf8"
)

const (
	previewRunes = 200       // RFC 8970, 3.2
	previewBytes = 256 << 10 // of the encoded text that is looked at; style sheets come first in some HTML
	previewFirst = 1 << 10   // of it that are enough in most mail
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
	var d description
	for f := range Fields(part.Header) {
		d.add(f)
	}
	c := part.contentType(d.media)
	switch {
	case c.isMultipart():
		return p.multipart(part, c, depth)
	case c.isMessage():
		return p.part(Whole(part.Body), depth+1)
	case c.Media != "text/plain" && c.Media != "text/html", isAttachment(d.disposition):
		return ""
	}
	return previewBody(part.Body, transferEncoding(d.transfer), c.Param("charset"), c.Media == "text/html")
}

// previewBody reads a body until there is enough of it: each step reads four times as much as the one before.
func previewBody(body []byte, transfer codec, charset string, html bool) string {
	whole := min(len(body), previewBytes)
	for size := min(whole, previewFirst); ; size = min(whole, 4*size) {
		read, cut := body[:size], size < len(body)
		if cut && transfer == quotedPrintable {
			read = wholeOctets(read)
		}
		text, ok := decodedBody(read, transfer)
		if !ok {
			return ""
		}
		if cut {
			text = wholeRunes(text)
		}
		line, enough := previewText(toUTF8(text, charset), html)
		if enough || size == whole {
			return line
		}
	}
}

// wholeOctets is quoted-printable without the beginning of an octet or of a soft line break that it may end with.
func wholeOctets(code []byte) []byte {
	if i := bytes.LastIndexByte(code[max(0, len(code)-2):], '='); i >= 0 {
		return code[:max(0, len(code)-2)+i]
	}
	return code
}

// wholeRunes is text without the beginning of a character of UTF-8 that it may end with.
func wholeRunes(text []byte) []byte {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
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
func (p *previewer) multipart(part Part, c ContentType, depth int) string {
	for child := range part.parts(c) {
		if line := p.part(child, depth+1); line != "" {
			return line
		}
		if p.parts <= 0 {
			break
		}
	}
	return ""
}

// isAttachment tells whether a Content-Disposition says that a part is to be saved rather than shown (RFC 2183, 2.2).
func isAttachment(f Field) bool {
	const attachment = "attachment"
	v := bytes.TrimLeft(f.value(), " \t\r\n")
	return len(v) >= len(attachment) && equalFold(v[:len(attachment)], attachment)
}
