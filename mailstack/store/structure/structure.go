// Package structure computes the IMAP envelope and body structure of a message once, when it is stored,
// and keeps them in a compact form.
//
// Mail is whatever its sender made of it: nothing here fails or panics because a message is malformed, and
// everything is bounded (depth, number of parts, bytes of text kept). What Compute returns can always be
// written to an IMAP client: a multipart has at least one part, a text part has its line count, a message
// part its envelope. Parts are those of package mime, so that what FETCH BODY[1.2] returns is what the
// structure describes.
package structure

import (
	"bytes"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

const (
	maxDepth  = 50        // deeper parts are shown as opaque bytes
	maxParts  = 2000      // further parts are not listed
	maxText   = 512 << 10 // bytes of header text kept in one structure
	maxParams = 64        // of one part
)

// Message is what is computed of a message.
type Message struct {
	Envelope *imap.Envelope
	Body     imap.BodyStructure // with extension data
	// Root is the id of the message that began the thread as far as this one tells: the first of its References, else
	// of its In-Reply-To, else its own Message-ID, without angle brackets; empty if it has none of them.
	Root string
	// Sent is the time in the Date field (RFC 5256, 2.2) in UTC; zero if there is none.
	Sent time.Time
}

// Compute computes everything of a message with CRLF line ends.
func Compute(raw []byte) (m Message) {
	// Some of the parsers below are other people's: a panic in one of them must not cost a delivery.
	defer func() {
		if recover() != nil {
			m = Message{Envelope: &imap.Envelope{}, Body: opaque(uint32(len(raw)))}
		}
	}()
	whole := mime.Whole(raw)
	w := walker{text: maxText}
	m.Body = w.part(whole, 0)
	w.text = maxText
	m.Envelope, m.Root, m.Sent = w.envelope(whole.Header)
	return m
}

// walker holds what is left of the bounds for one message.
type walker struct {
	parts int
	text  int
}

// part describes one part.
func (w *walker) part(p mime.Part, depth int) imap.BodyStructure {
	w.parts++
	c := p.ContentType()
	mediaType, params := c.Media, c.Params()
	typ, subtype, _ := strings.Cut(mediaType, "/")
	if depth >= maxDepth && (typ == "multipart" || isMessage(mediaType)) {
		typ, subtype, mediaType, params = "application", "octet-stream", "application/octet-stream", nil
	}
	f := fieldsOf(p.Header)
	if typ == "multipart" {
		return w.multipart(p, f, subtype, params, depth)
	}
	bs := &imap.BodyStructureSinglePart{
		Type:        typ,
		Subtype:     subtype,
		Params:      w.params(params),
		ID:          w.keep(f.id),
		Description: w.keep(f.description),
		Encoding:    w.keep(f.encoding),
		Extended: &imap.BodyStructureSinglePartExt{
			Disposition: w.disposition(f.disposition),
			Language:    w.language(f.language),
			Location:    w.keep(f.location),
		},
		Size: uint32(len(p.Body)),
	}
	switch {
	case isMessage(mediaType):
		inner := mime.Whole(p.Body)
		e, _, _ := w.envelope(inner.Header)
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{
			Envelope: e, BodyStructure: w.part(inner, depth+1), NumLines: lines(p.Body),
		}
	case typ == "text":
		bs.Text = &imap.BodyStructureText{NumLines: lines(p.Body)}
	}
	return bs
}

func lines(body []byte) int64 { return int64(bytes.Count(body, []byte{'\n'})) }

func (w *walker) multipart(p mime.Part, f fields, subtype string, params map[string]string, depth int) imap.BodyStructure {
	bs := &imap.BodyStructureMultiPart{
		Subtype: subtype,
		Extended: &imap.BodyStructureMultiPartExt{
			Params:      w.params(params),
			Disposition: w.disposition(f.disposition),
			Language:    w.language(f.language),
			Location:    w.keep(f.location),
		},
	}
	for child := range p.Parts() {
		if w.parts >= maxParts {
			break
		}
		bs.Children = append(bs.Children, w.part(child, depth+1))
	}
	if len(bs.Children) == 0 {
		// RFC 9051, 9: body-type-mpart has one body or more.
		bs.Children = []imap.BodyStructure{&imap.BodyStructureSinglePart{
			Type: "text", Subtype: "plain",
			Text:     &imap.BodyStructureText{},
			Extended: &imap.BodyStructureSinglePartExt{},
		}}
	}
	return bs
}

func opaque(size uint32) imap.BodyStructure {
	return &imap.BodyStructureSinglePart{
		Type: "application", Subtype: "octet-stream", Size: size,
		Extended: &imap.BodyStructureSinglePartExt{},
	}
}

func isMessage(mediaType string) bool {
	return mediaType == "message/rfc822" || mediaType == "message/global"
}
