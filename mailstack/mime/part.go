package mime

import (
	"bytes"
	"iter"
)

// Part is a MIME entity: a whole message or one of its parts.
type Part struct {
	Header []byte // with the empty line at its end, if it has one
	Body   []byte
	digest bool // inside a multipart/digest, where the type defaults to message/rfc822 (RFC 2046, 5.1.5)
}

// description are the fields that say what a body is; the first of each counts.
type description struct{ media, transfer, disposition Field }

func (d *description) add(f Field) {
	switch f.name {
	case len("Content-Type"):
		d.media.first(f, "Content-Type")
	case len("Content-Transfer-Encoding"):
		d.transfer.first(f, "Content-Transfer-Encoding")
	case len("Content-Disposition"):
		d.disposition.first(f, "Content-Disposition")
	}
}

// first becomes other if that has the name and none was there before.
func (f *Field) first(other Field, name string) {
	if f.Raw == nil && other.Is(name) {
		*f = other
	}
}

// Whole is the message as a Part.
func Whole(raw []byte) Part {
	header, body := Split(raw)
	return Part{Header: header, Body: body}
}

// Embedded returns the message that a message/rfc822 part holds.
func (p Part) Embedded() (Part, bool) {
	if p.ContentType().isMessage() {
		return Whole(p.Body), true
	}
	return Part{}, false
}

// Parts are the parts of a multipart entity, none for any other.
func (p Part) Parts() iter.Seq[Part] { return p.parts(p.ContentType()) }

func (p Part) parts(c ContentType) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		boundary := c.Param("boundary")
		if !c.isMultipart() || boundary == "" {
			return
		}
		for raw := range split(p.Body, boundary) {
			child := Whole(raw)
			child.digest = c.Media == "multipart/digest"
			if !yield(child) {
				return
			}
		}
	}
}

// maxParts bounds the parts of one multipart entity.
const maxParts = 10000

// split cuts a multipart body at its delimiter lines. The line end before a delimiter belongs to the delimiter
// (RFC 2046, 5.1.1). A missing close delimiter ends the last part at the end of the body.
func split(body []byte, boundary string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		delimiter := []byte("--" + boundary)
		begin, parts := -1, 0 // begin: of the part being read
		for start := 0; start < len(body); {
			i := bytes.Index(body[start:], delimiter)
			if i < 0 {
				break
			}
			at := start + i
			end := lineEnd(body, at+len(delimiter))
			start = end
			if at > 0 && body[at-1] != '\n' {
				continue
			}
			rest := body[at+len(delimiter) : end]
			last := bytes.HasPrefix(rest, []byte("--"))
			if !last && len(bytes.Trim(rest, " \t\r\n")) > 0 {
				continue
			}
			if begin >= 0 {
				if parts++; !yield(body[begin:max(begin, at-lineBreak(body[:at]))]) {
					return
				}
			}
			if last || parts == maxParts {
				return
			}
			begin = end
		}
		if begin >= 0 { // cut short, perhaps within the delimiter
			last := body[begin:]
			if i := bytes.LastIndexByte(last, '\r'); i >= 0 && len(last)-i > len(crlf) && bytes.HasPrefix(append(crlf[:2:2], delimiter...), last[i:]) {
				last = last[:i]
			}
			yield(last)
		}
	}
}

// lineBreak is the length of the line break that b ends with.
func lineBreak(b []byte) int {
	switch {
	case bytes.HasSuffix(b, crlf):
		return 2
	case bytes.HasSuffix(b, crlf[1:]):
		return 1
	}
	return 0
}

// Find returns the part that an IMAP section path names (RFC 9051, 6.4.5.1). A message that is no multipart has one part,
// number 1: itself. A path leads on through multiparts and through messages in messages, and nowhere else.
func Find(raw []byte, path []int) (Part, bool) {
	p := Whole(raw)
	message := true // p can be numbered: it is a whole message, or a multipart
	for _, n := range path {
		if inner, ok := p.Embedded(); ok && !message {
			p, message = inner, true
		}
		if p.ContentType().isMultipart() {
			child, ok := p.nth(n)
			if !ok {
				return Part{}, false
			}
			p = child
		} else if n != 1 || !message {
			return Part{}, false
		}
		message = false
	}
	return p, true
}

// nth returns part n of a multipart entity, from 1.
func (p Part) nth(n int) (Part, bool) {
	for child := range p.Parts() {
		if n--; n == 0 {
			return child, true
		}
	}
	return Part{}, false
}
