package imap

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

// maxSearchDepth bounds how deep SEARCH follows nested parts.
const maxSearchDepth = 30

// searchText is a message prepared for searching: decoded and in lower case, made when first needed.
type searchText struct {
	whole  mime.Part
	fields []searchField
	body   *string
}

type searchField struct{ name, value string }

func newSearchText(raw []byte) *searchText {
	t := &searchText{whole: mime.Whole(raw)}
	t.fields = searchFields(t.whole)
	return t
}

func searchFields(p mime.Part) []searchField {
	var fields []searchField
	for f := range mime.Fields(p.Header) {
		fields = append(fields, searchField{f.Name(), strings.ToLower(mime.DecodeHeader(f.Value()))})
	}
	return fields
}

// headerContains looks for a lower-case string in the fields of a name.
func (t *searchText) headerContains(name, value string) bool {
	for _, f := range t.fields {
		if strings.EqualFold(f.name, name) && strings.Contains(f.value, value) {
			return true
		}
	}
	return false
}

func (t *searchText) bodyContains(value string) bool {
	if t.body == nil {
		var b strings.Builder
		collect(&b, t.whole, 0)
		lower := strings.ToLower(b.String())
		t.body = &lower
	}
	return strings.Contains(*t.body, value)
}

// contains looks in the header and the body.
func (t *searchText) contains(value string) bool {
	for _, f := range t.fields {
		if strings.Contains(strings.ToLower(f.name)+": "+f.value, value) {
			return true
		}
	}
	return t.bodyContains(value)
}

// collect gathers the texts of an entity: its text parts, and the headers and texts of messages inside it.
func collect(b *strings.Builder, p mime.Part, depth int) {
	if depth > maxSearchDepth {
		return
	}
	if media, _ := p.MediaType(); strings.HasPrefix(media, "multipart/") {
		for child := range p.Parts() {
			collect(b, child, depth+1)
		}
		return
	}
	if inner, ok := p.Embedded(); ok {
		for _, f := range searchFields(inner) {
			b.WriteString(f.name + ": " + f.value + "\n")
		}
		collect(b, inner, depth+1)
		return
	}
	if text, ok := p.Text(); ok {
		b.WriteString(text)
		b.WriteByte('\n')
	}
}

// envelopeContains tests the fields that the cached envelope holds; known is false for all others, and when the header was
// too broken to give an envelope. FROM, TO, CC, BCC and SUBJECT search the envelope by definition (RFC 9051, 6.4.4).
func envelopeContains(e *imap.Envelope, key, value string) (found, known bool) {
	if e.Date.IsZero() && len(e.From) == 0 {
		return false, false
	}
	var addresses []imap.Address
	switch strings.ToLower(key) {
	case "subject":
		return e.Subject != "" && strings.Contains(strings.ToLower(e.Subject), value), true
	case "from":
		addresses = e.From
	case "to":
		addresses = e.To
	case "cc":
		addresses = e.Cc
	case "bcc":
		addresses = e.Bcc
	default:
		return false, false
	}
	for _, a := range addresses {
		if strings.Contains(strings.ToLower(a.Name+" <"+a.Mailbox+"@"+a.Host+">"), value) {
			return true, true
		}
	}
	return false, true
}
