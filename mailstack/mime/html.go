package mime

import (
	"bytes"
	"html"
)

// htmlText reduces HTML to the text that a person reads. White space is as in the source; a tag that breaks the line gives a
// line end. The content of styles, scripts, titles and comments is left out, and so are quotations (blockquote) if quotes is false:
// a line with ">" stands in their place.
type htmlText struct {
	dst    []byte
	quotes bool
	depth  int // of quotations that are left out
}

// appendHTML appends the text of src. It takes time in proportion to its length: a tag, comment or quoted value that
// has no end ends with the source, and nothing is searched for twice.
func appendHTML(dst, src []byte, quotes bool) []byte {
	h := htmlText{dst: dst, quotes: quotes}
	for len(src) > 0 {
		i := bytes.IndexByte(src, '<')
		if i < 0 {
			h.text(src)
			break
		}
		h.text(src[:i])
		src = h.markup(src[i:])
	}
	return h.dst
}

// markup takes what begins with "<" from the front of src.
func (h *htmlText) markup(src []byte) []byte {
	if len(src) < 2 {
		h.text(src)
		return nil
	}
	switch c := src[1]; {
	case bytes.HasPrefix(src, []byte("<!--")):
		return after(src[2:], []byte("-->")) // "<!-->" is one, too
	case c == '!', c == '?':
		return after(src[2:], []byte(">"))
	case c == '/', letter(c):
		return h.tag(src)
	}
	h.text(src[:1])
	return src[1:]
}

// after returns what follows the first mark; nothing if there is none.
func after(src, mark []byte) []byte {
	if i := bytes.Index(src, mark); i >= 0 {
		return src[i+len(mark):]
	}
	return nil
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// tag takes one tag, and the content of those that have no text.
func (h *htmlText) tag(src []byte) []byte {
	name := src[1:]
	closing := name[0] == '/'
	if closing {
		name = name[1:]
	}
	n := 0
	for n < len(name) && (letter(name[n]) || '0' <= name[n] && name[n] <= '9') {
		n++
	}
	name, rest := name[:n], afterTag(name[n:])
	switch kind := tagKind(name); {
	case kind == tagSilent && !closing:
		return afterElement(rest, name)
	case kind == tagQuote && !h.quotes:
		h.quotation(closing)
	case kind >= tagBreak && h.depth == 0:
		h.dst = append(h.dst, '\n')
	}
	return rest
}

func (h *htmlText) quotation(closing bool) {
	switch {
	case !closing:
		if h.depth == 0 {
			h.dst = append(h.dst, "\n>\n"...)
		}
		h.depth++
	case h.depth > 0:
		h.depth--
	}
}

// afterTag skips attributes: a ">" in a quoted value ends nothing. Quotes count only where a value begins.
func afterTag(src []byte) []byte {
	for from := 0; ; {
		i := from
		for i < len(src) && src[i] != '>' && src[i] != '"' && src[i] != '\'' {
			i++
		}
		if i == len(src) {
			return nil
		}
		from = i + 1
		if src[i] == '>' {
			return src[from:]
		}
		if !bytes.HasSuffix(bytes.TrimRight(src[:i], " \t\r\n"), []byte("=")) {
			continue
		}
		end := bytes.IndexByte(src[from:], src[i])
		if end < 0 {
			return after(src[from:], []byte(">"))
		}
		from += end + 1
	}
}

// afterElement skips the content of an element up to the end of its closing tag.
func afterElement(src, name []byte) []byte {
	for {
		src = after(src, []byte("</"))
		if len(src) < len(name) {
			return nil
		}
		if bytes.EqualFold(src[:len(name)], name) {
			return afterTag(src[len(name):])
		}
	}
}

const (
	tagInline = iota
	tagSilent // content is no text
	tagBreak  // breaks the line
	tagQuote
)

func tagKind(name []byte) int {
	var lower [10]byte
	if len(name) > len(lower) {
		return tagInline
	}
	for i, c := range name {
		lower[i] = c | 0x20 // digits have the bit already
	}
	switch string(lower[:len(name)]) {
	case "style", "script", "title":
		return tagSilent
	case "blockquote":
		return tagQuote
	case "p", "br", "div", "tr", "td", "th", "li", "ul", "ol", "dl", "dt", "dd", "hr", "pre", "table", "caption", "center",
		"h1", "h2", "h3", "h4", "h5", "h6", "body", "head", "header", "footer", "section", "article", "aside", "form", "option":
		return tagBreak
	}
	return tagInline
}

// text appends text with its character references resolved.
func (h *htmlText) text(src []byte) {
	if h.depth > 0 {
		return
	}
	for {
		i := bytes.IndexByte(src, '&')
		if i < 0 {
			break
		}
		h.dst = append(h.dst, src[:i]...)
		src = src[i:]
		n := referenceLen(src)
		h.dst = append(h.dst, html.UnescapeString(string(src[:n]))...)
		src = src[n:]
	}
	h.dst = append(h.dst, src...)
}

// referenceLen is the length of the character reference that src begins with: an ampersand and what may belong to it.
func referenceLen(src []byte) int {
	const longest = 33 // &CounterClockwiseContourIntegral;
	n := 1
	for n < len(src) && n < longest && (letter(src[n]) || '0' <= src[n] && src[n] <= '9' || src[n] == '#') {
		n++
	}
	if n < len(src) && src[n] == ';' {
		n++
	}
	return n
}
