package mime

import (
	"bytes"
	"errors"
	"mime"
	"strings"
)

// maxName is the longest that a type or subtype may be (RFC 6838, 4.2).
const maxName = 127

// ContentType is the value of a Content-Type field (RFC 2045, 5.1).
type ContentType struct {
	Media  string            // in lower case
	raw    []byte            // parameters, from the first semicolon on, if they are plain
	params map[string]string // if they are not
}

// Param returns a parameter without its quotes, or "". name is in lower case.
func (c ContentType) Param(name string) string {
	if c.params != nil {
		return c.params[name]
	}
	for rest := c.raw; len(rest) > 0; {
		key, value, after, ok := plainParam(rest)
		if !ok {
			break
		}
		if equalFold(key, name) {
			return string(value)
		}
		rest = after
	}
	return ""
}

// Params returns all parameters; nil if there are none. The names are in lower case.
func (c ContentType) Params() map[string]string {
	if c.params != nil || len(c.raw) == 0 {
		return c.params
	}
	params := make(map[string]string)
	for rest := c.raw; len(rest) > 0; {
		key, value, after, _ := plainParam(rest)
		params[strings.ToLower(string(key))] = string(value)
		rest = after
	}
	return params
}

func (c ContentType) isMultipart() bool { return strings.HasPrefix(c.Media, "multipart/") }

func (c ContentType) isMessage() bool {
	return c.Media == "message/rfc822" || c.Media == "message/global" // RFC 6532, 3.7
}

// ContentType reads the type of a part: two tokens. One that is missing or broken is text/plain (RFC 2045, 5.2), or message/rfc822 if it is
// missing in a digest (RFC 2046, 5.1.5).
func (p Part) ContentType() ContentType {
	f, _ := Lookup(p.Header, "Content-Type")
	return p.contentType(f)
}

// contentType reads the field; the zero Field stands for none.
func (p Part) contentType(f Field) ContentType {
	value := bytes.TrimSpace(f.value())
	switch {
	case len(value) == 0 && p.digest:
		return ContentType{Media: "message/rfc822"}
	case len(value) == 0:
		return ContentType{Media: "text/plain"}
	}
	if c, ok := plainType(value); ok {
		return c
	}
	media, params, err := mime.ParseMediaType(f.Value())
	typ, subtype, _ := strings.Cut(media, "/")
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || subtype == "" || max(len(typ), len(subtype)) > maxName {
		return ContentType{Media: "text/plain"}
	}
	return ContentType{Media: media, params: params}
}

// plainType reads a value that needs no thought, as nearly all are: it is the same that mime.ParseMediaType says, without its cost.
func plainType(value []byte) (ContentType, bool) {
	const most = 8
	n, slash := 0, -1
	for ; n < len(value) && (isToken(value[n]) || value[n] == '/'); n++ {
		if value[n] == '/' {
			if slash >= 0 {
				return ContentType{}, false
			}
			slash = n
		}
	}
	if slash <= 0 || slash == n-1 || max(slash, n-1-slash) > maxName {
		return ContentType{}, false
	}
	c := ContentType{Media: lowerMedia(value[:n]), raw: value[n:]}
	var keys [most][]byte
	for i, rest := 0, c.raw; len(rest) > 0; i++ {
		key, _, after, ok := plainParam(rest)
		if !ok || i == most {
			return ContentType{}, false
		}
		for _, other := range keys[:i] {
			if bytes.EqualFold(other, key) {
				return ContentType{}, false
			}
		}
		keys[i], rest = key, after
	}
	return c, true
}

// plainParam reads ";name=value"; false if there is anything unusual in it: continuations, backslashes, folding inside of quotes.
func plainParam(b []byte) (key, value, rest []byte, ok bool) {
	b, ok = skipFolding(b)
	if !ok || len(b) == 0 || b[0] != ';' {
		return nil, nil, nil, false
	}
	if b, ok = skipFolding(b[1:]); !ok {
		return nil, nil, nil, false
	}
	n := 0
	for n < len(b) && isToken(b[n]) && b[n] != '*' {
		n++
	}
	if n == 0 || n+1 >= len(b) || b[n] != '=' {
		return nil, nil, nil, false
	}
	key, b = b[:n], b[n+1:]
	if b[0] != '"' {
		for n = 0; n < len(b) && isToken(b[n]); n++ {
		}
		return key, b[:n], b[n:], n > 0
	}
	for n = 1; n < len(b) && b[n] != '"'; n++ {
		if b[n] < ' ' || b[n] == '\\' {
			return nil, nil, nil, false
		}
	}
	if n == len(b) {
		return nil, nil, nil, false
	}
	return key, b[1:n], b[n+1:], true
}

// skipFolding skips spaces, tabs, and line ends before them.
func skipFolding(b []byte) ([]byte, bool) {
	for len(b) > 0 {
		switch {
		case b[0] == ' ' || b[0] == '\t':
			b = b[1:]
		case len(b) > 2 && b[0] == '\r' && b[1] == '\n' && (b[2] == ' ' || b[2] == '\t'):
			b = b[3:]
		default:
			return b, b[0] > ' '
		}
	}
	return b, true
}

// tokens are the characters of a token (RFC 2045, 5.1).
var tokens = func() (t [256]bool) {
	for c := '!'; c <= '~'; c++ {
		t[c] = !strings.ContainsRune(`()<>@,;:\"/[]?=`, c)
	}
	return t
}()

func isToken(c byte) bool { return tokens[c] }

// lowerMedia returns a media type in lower case, without a copy for those of nearly all mail.
func lowerMedia(b []byte) string {
	for _, known := range [...]string{"text/plain", "text/html", "multipart/alternative", "multipart/mixed", "multipart/related",
		"message/rfc822", "application/pdf", "image/png", "image/jpeg"} {
		if equalFold(b, known) {
			return known
		}
	}
	return strings.ToLower(string(b))
}
