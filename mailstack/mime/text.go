package mime

import (
	"bytes"
	"strings"
)

const (
	maxDepth  = 50       // of parts in parts; what is deeper is text as it stands
	maxText   = 16 << 20 // bytes of one header or of one text as it is sent; what is longer is cut
	keepBytes = 1 << 20  // of a buffer from one message to the next
)

// TextVersion changes whenever Text or Fold makes something else of a message than before: what was computed from their
// results is of no use then.
const TextVersion = 1

// Place says where in a message a text stands, as the search keys of IMAP tell it apart (RFC 9051, 6.4.4).
type Place uint8

// Places.
const (
	InHeader Place = iota // header fields of the message and of its parts: TEXT looks there
	InBody                // all else, with the headers of messages in the message: TEXT and BODY look there
)

// Reader reads the text of messages. Its buffers serve one message after the other; the zero Reader is ready.
type Reader struct {
	visit                func(Place, []byte) bool
	decoded, utf8, plain []byte
}

// Text calls visit with each piece of the text of a message until visit returns false: headers with their encoded words decoded,
// names of attachments, and the bodies of text parts without transfer encoding and without the markup of HTML. A piece is UTF-8, except
// where its sender says so of what is not; Fold takes both. It is valid during the call and must not be changed. What is
// searched for stands in one piece.
//
// Signatures made by servers are not read, nor is what surrounds the parts of a multipart (RFC 2046, 5.1.1).
func (r *Reader) Text(raw []byte, visit func(place Place, piece []byte) bool) {
	r.visit = visit
	r.entity(Whole(raw), InHeader, 0)
	r.visit = nil
	for _, buffer := range [...]*[]byte{&r.decoded, &r.utf8, &r.plain} {
		if cap(*buffer) > keepBytes {
			*buffer = nil
		}
	}
}

// entity reads a message or a part, whose header counts as place. Like all that it calls it returns false when visit has had enough.
func (r *Reader) entity(p Part, place Place, depth int) bool {
	c, transfer, ok := r.header(p, place)
	switch {
	case !ok:
		return false
	case c.isMultipart() && depth < maxDepth:
		return r.multipart(p, c, place, depth)
	case c.isMessage() && depth < maxDepth:
		if body, known := decodedBody(p.Body, transfer); known {
			return r.entity(Whole(body), InBody, depth+1)
		}
	case c.isText():
		return r.text(p.Body, c, transfer)
	}
	return true
}

// multipart reads the parts. A body that has none is text, as people will see it.
func (r *Reader) multipart(p Part, c ContentType, place Place, depth int) bool {
	empty := true
	for child := range p.parts(c) {
		empty = false
		if !r.entity(child, place, depth+1) {
			return false
		}
	}
	return !empty || r.text(p.Body, ContentType{Media: "text/plain"}, identity)
}

// isText tells whether a part can be read without a program for its format.
func (c ContentType) isText() bool {
	switch c.Media {
	case "application/json", "application/xml", "application/xhtml+xml", "application/ics",
		"message/delivery-status", "message/disposition-notification", "message/feedback-report", "message/rfc822-headers":
		return true
	}
	return strings.HasPrefix(c.Media, "text/") || c.isMultipart() || c.isMessage() ||
		strings.HasPrefix(c.Media, "application/") && (strings.HasSuffix(c.Media, "+xml") || strings.HasSuffix(c.Media, "+json"))
}

// text reads the body of a text part.
func (r *Reader) text(body []byte, c ContentType, transfer codec) bool {
	text := body[:min(len(body), maxText)]
	switch transfer {
	case base64:
		r.decoded = appendBase64(r.decoded[:0], text)
		text = r.decoded
	case quotedPrintable:
		r.decoded = appendQuotedPrintable(r.decoded[:0], text)
		text = r.decoded
	}
	text = r.toUTF8(text, c.Param("charset"))
	if c.Media == "text/html" || c.Media == "application/xhtml+xml" {
		r.plain = appendHTML(r.plain[:0], text, true)
		text = r.plain
	}
	return len(text) == 0 || r.visit(InBody, text)
}

// toUTF8 returns text as UTF-8: itself, or in a buffer. Text that its sender calls UTF-8 is believed to be.
func (r *Reader) toUTF8(text []byte, charset string) []byte {
	if isUnicode(charset) || isUTF8(text, charset) {
		return text
	}
	r.utf8 = appendUTF8(r.utf8[:0], text, charset)
	return r.utf8
}

// header reads the header of a part and returns what it says of its body.
func (r *Reader) header(p Part, place Place) (c ContentType, transfer codec, ok bool) {
	var d description
	header := p.Header[:min(len(p.Header), maxText)]
	from, at := 0, 0 // the fields not yet passed on
	for f := range Fields(header) {
		if isSignature(f) {
			if !r.fields(header[from:at], place) {
				return c, transfer, false
			}
			from = at + len(f.Raw)
		}
		d.add(f)
		at += len(f.Raw)
	}
	if !r.fields(header[from:at], place) || !r.names(d.media, place) || !r.names(d.disposition, place) {
		return c, transfer, false
	}
	return p.contentType(d.media), transferEncoding(d.transfer), true
}

// fields reads fields that follow each other.
func (r *Reader) fields(fields []byte, place Place) bool {
	text := r.toUTF8(fields, "")
	if bytes.Contains(text, []byte("=?")) {
		r.plain = appendWords(r.plain[:0], text)
		text = r.plain
	}
	return len(text) == 0 || r.visit(place, text)
}

// names reads the parameters of a field that need decoding, such as the name of an attachment.
func (r *Reader) names(f Field, place Place) bool {
	if bytes.IndexByte(f.Raw, '*') < 0 {
		return true
	}
	r.plain = appendExtended(r.plain[:0], f)
	return len(r.plain) == 0 || r.visit(place, r.plain)
}

// isSignature tells whether a field holds nothing but what programs have computed (RFC 6376, RFC 8617).
func isSignature(f Field) bool {
	switch f.name {
	case len("DKIM-Signature"):
		return f.Is("DKIM-Signature")
	case len("ARC-Seal"):
		return f.Is("ARC-Seal")
	case len("ARC-Message-Signature"):
		return f.Is("ARC-Message-Signature")
	case len("X-Google-DKIM-Signature"):
		return f.Is("X-Google-DKIM-Signature")
	}
	return false
}
