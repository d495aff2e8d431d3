package content

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrNoToken says that a message was not made here.
var ErrNoToken = errors.New("the message has no token")

// Check recomputes a message from its token and compares, a piece at a time. Headers that servers put on top are not looked at.
// The error names the first differing octet, counted from the start of raw; the token is given even then, if it could be read.
// A message that was not made here gives [ErrNoToken].
func Check(raw []byte) (token string, err error) {
	id, token, rest, err := checkHeader(raw)
	if err != nil {
		return token, err
	}
	c := comparison{raw: raw, at: len(raw) - len(rest)}
	id.writeBody(c.compare)
	if c.err == nil && c.at < len(raw) {
		c.err = fmt.Errorf("the message should end at octet %d and has %d", c.at, len(raw))
	}
	return token, c.err
}

// checkHeader checks the header of a message, or one that came alone; rest is what follows it.
func checkHeader(raw []byte) (id identity, token string, rest []byte, err error) {
	at, text, found := findToken(raw)
	if !found {
		if madeHere(raw) {
			return id, "", nil, errors.New("the token's header is missing")
		}
		return id, "", nil, ErrNoToken
	}
	if id, err = parseToken(text); err != nil {
		return id, "", nil, err
	}
	token = text
	c := comparison{raw: raw, at: at}
	if !c.compare(id.derivedHeader(make([]byte, 0, 1024))) {
		return id, token, nil, c.err
	}
	end := bytes.Index(raw[c.at:], []byte("\r\n\r\n"))
	if end < 0 {
		return id, token, nil, fmt.Errorf("the header does not end before octet %d", len(raw))
	}
	variable := raw[c.at : c.at+end+4]
	if got := sum(emptyDigest, variable); got != id.headers {
		return id, token, nil, fmt.Errorf("the header differs somewhere in octets %d to %d (addresses, date, references)", c.at, c.at+end+3)
	}
	return id, token, raw[c.at+end+4:], nil
}

// comparison goes along a message.
type comparison struct {
	raw []byte
	at  int
	err error
}

// compare says whether the message goes on with part.
func (c *comparison) compare(part []byte) bool {
	have := c.raw[c.at:]
	if bytes.HasPrefix(have, part) {
		c.at += len(part)
		return true
	}
	for i := range part {
		if i == len(have) {
			c.err = fmt.Errorf("the message ends at octet %d, in the middle", len(c.raw))
			break
		}
		if part[i] != have[i] {
			c.err = fmt.Errorf("octet %d is 0x%02x; sent was 0x%02x", c.at+i, have[i], part[i])
			break
		}
	}
	return false
}

// TokenOf finds the token in a message or its header. It is not ok if there is none or its checksum is wrong.
func TokenOf(header []byte) (token string, ok bool) {
	_, text, found := findToken(header)
	if !found {
		return "", false
	}
	_, err := parseToken(text)
	return text, err == nil
}

// findToken finds the token's header line before the empty line, and what it says.
func findToken(raw []byte) (at int, token string, found bool) {
	line, at, found := headerLine(raw, TokenHeader)
	return at, strings.TrimSpace(string(line[:min(len(line), 256)])), found
}

// madeHere says whether the Message-ID is one of ours.
func madeHere(raw []byte) bool {
	line, _, _ := headerLine(raw, "Message-ID")
	_, ok := parseMessageID(strings.TrimSpace(string(line[:min(len(line), 256)])))
	return ok
}

// headerLine returns the text after the colon of the first header of that name, folded lines included, and where the header begins.
func headerLine(raw []byte, name string) (text []byte, at int, found bool) {
	for at < len(raw) {
		end := at + lineEnd(raw[at:])
		line := raw[at:end]
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			for end < len(raw) && (raw[end] == ' ' || raw[end] == '\t') {
				end += lineEnd(raw[end:])
			}
			return bytes.TrimRight(raw[at+len(name)+1:end], "\r\n"), at, true
		}
		at = end
	}
	return nil, 0, false
}

// lineEnd is where the next line begins.
func lineEnd(raw []byte) int {
	if i := bytes.IndexByte(raw, '\n'); i >= 0 {
		return i + 1
	}
	return len(raw)
}
