package mime

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"

	"github.com/emersion/go-message/charset"
)

// Part is a MIME entity: a whole message or one of its parts.
type Part struct {
	Header []byte // with the empty line at its end, if it has one
	Body   []byte
	digest bool // inside a multipart/digest, where the type defaults to message/rfc822 (RFC 2046, 5.1.5)
}

// Whole is the message as a Part.
func Whole(raw []byte) Part {
	header, body := Split(raw)
	return Part{Header: header, Body: body}
}

// MediaType returns the type in lower case and its parameters. A type that is missing or broken is text/plain
// (RFC 2045, 5.2).
func (p Part) MediaType() (string, map[string]string) {
	value := Get(p.Header, "Content-Type")
	if value == "" {
		if p.digest {
			return "message/rfc822", nil
		}
		return "text/plain", nil
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || !strings.Contains(media, "/") {
		return "text/plain", nil
	}
	return media, params
}

// Embedded returns the message that a message/rfc822 part holds.
func (p Part) Embedded() (Part, bool) {
	if media, _ := p.MediaType(); media == "message/rfc822" || media == "message/global" {
		return Whole(p.Body), true
	}
	return Part{}, false
}

// Children returns the parts of a multipart entity, nil for any other.
func (p Part) Children() []Part {
	media, params := p.MediaType()
	if !strings.HasPrefix(media, "multipart/") || params["boundary"] == "" {
		return nil
	}
	var children []Part
	for _, raw := range split(p.Body, params["boundary"]) {
		child := Whole(raw)
		child.digest = media == "multipart/digest"
		children = append(children, child)
	}
	return children
}

// maxParts bounds the parts of one multipart entity.
const maxParts = 10000

// split cuts a multipart body at its delimiter lines. The line end before a delimiter belongs to the delimiter
// (RFC 2046, 5.1.1). A missing close delimiter ends the last part at the end of the body.
func split(body []byte, boundary string) [][]byte {
	delimiter := []byte("--" + boundary)
	var parts [][]byte
	begin := -1 // of the part being read
	for start := 0; start < len(body); {
		end := lineEnd(body, start)
		line := body[start:end]
		if bytes.HasPrefix(line, delimiter) {
			rest := line[len(delimiter):]
			last := bytes.HasPrefix(rest, []byte("--"))
			if last || len(bytes.Trim(rest, " \t\r\n")) == 0 {
				if begin >= 0 {
					parts = append(parts, body[begin:max(begin, start-lineBreak(body[:start]))])
				}
				if last || len(parts) == maxParts {
					return parts
				}
				begin = end
			}
		}
		start = end
	}
	if begin >= 0 { // cut short: a line break at the very end may be the delimiter's, as far as it came
		last := body[begin:]
		if i := bytes.LastIndexByte(last, '\r'); i >= 0 && bytes.HasPrefix(append(crlf[:2:2], delimiter...), last[i:]) {
			last = last[:i]
		}
		parts = append(parts, last)
	}
	return parts
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

// Find returns the part that an IMAP section path names (RFC 9051, 6.4.5.1): part 1 of an entity that is no multipart is
// the entity itself, and a path leads on through embedded messages.
func Find(raw []byte, path []int) (Part, bool) {
	p := Whole(raw)
	for i, n := range path {
		if i > 0 {
			if inner, ok := p.Embedded(); ok {
				p = inner
			}
		}
		if media, _ := p.MediaType(); !strings.HasPrefix(media, "multipart/") {
			if n != 1 {
				return Part{}, false
			}
			continue
		}
		children := p.Children()
		if n < 1 || n > len(children) {
			return Part{}, false
		}
		p = children[n-1]
	}
	return p, true
}

// Decoded returns the body without its transfer encoding; false if the encoding is not known (RFC 2045, 6).
// A broken encoding gives what could be read.
func (p Part) Decoded() ([]byte, bool) {
	encoding := strings.ToLower(strings.TrimSpace(Get(p.Header, "Content-Transfer-Encoding")))
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return p.Body, true
	case "base64":
		decoded, _ := io.ReadAll(base64.NewDecoder(base64.StdEncoding, &base64Cleaner{p.Body}))
		return decoded, true
	case "quoted-printable":
		decoded, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(p.Body)))
		return decoded, true
	}
	return nil, false
}

// base64Cleaner leaves out what is not of the base64 alphabet (RFC 2045, 6.8).
type base64Cleaner struct{ rest []byte }

func (c *base64Cleaner) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) && len(c.rest) > 0 {
		ch := c.rest[0]
		c.rest = c.rest[1:]
		if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '+' || ch == '/' || ch == '=' {
			b[n] = ch
			n++
		}
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Text returns the body decoded to UTF-8; false for what is not text.
func (p Part) Text() (string, bool) {
	media, params := p.MediaType()
	if !strings.HasPrefix(media, "text/") {
		return "", false
	}
	decoded, ok := p.Decoded()
	if !ok {
		return "", false
	}
	switch name := strings.ToLower(params["charset"]); name {
	case "", "utf-8", "us-ascii":
	default: // what is not known is searched as it is
		if r, err := charset.Reader(name, bytes.NewReader(decoded)); err == nil {
			decoded, _ = io.ReadAll(r)
		}
	}
	return string(decoded), true
}

// WordDecoder decodes encoded words (RFC 2047) in every character set that is in use.
var WordDecoder = &mime.WordDecoder{CharsetReader: charset.Reader}

// DecodeHeader returns a header value with its encoded words decoded to UTF-8 (RFC 2047).
func DecodeHeader(value string) string {
	text, err := WordDecoder.DecodeHeader(value)
	if err != nil {
		return value
	}
	return text
}
