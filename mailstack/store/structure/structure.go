// Package structure computes the IMAP envelope and body structure of a message once, when it is stored,
// and keeps them in a compact form.
//
// Mail is whatever its sender made of it: nothing here fails or panics because a message is malformed, and
// everything is bounded (depth, number of parts, bytes of text kept). What Compute returns can always be
// written to an IMAP client: a multipart has at least one part, a text part has its line count, a message
// part its envelope.
package structure

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // subjects and names in the character sets that are in use
	"github.com/emersion/go-message/textproto"
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
	// The parsers below are other people's: a panic in one of them must not cost a delivery.
	defer func() {
		if recover() != nil {
			m = Message{Envelope: &imap.Envelope{}, Body: opaque(uint32(len(raw)))}
		}
	}()
	br := bufio.NewReader(bytes.NewReader(raw))
	// A malformed header ends where it stops making sense; what follows counts as body.
	header, _ := textproto.ReadHeader(br)
	w := walker{text: maxText}
	m.Body = w.part(header, br, "text/plain", 0)
	w.text = maxText
	m.Root, m.Sent = root(header), sent(header)
	m.Envelope = w.envelope(header)
	if m.Root == "" {
		m.Root = m.Envelope.MessageID
	}
	return m
}

// walker holds what is left of the bounds for one message.
type walker struct {
	parts int
	text  int
}

// counter counts what passes through it.
type counter struct {
	r            io.Reader
	bytes, lines int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.bytes += int64(n)
	c.lines += int64(bytes.Count(b[:n], []byte{'\n'}))
	return n, err
}

// part describes one part whose header has been read from body.
func (w *walker) part(raw textproto.Header, body io.Reader, defaultType string, depth int) imap.BodyStructure {
	w.parts++
	header := message.Header{Header: raw}
	mediaType, params := contentType(header, defaultType)
	typ, subtype, _ := strings.Cut(mediaType, "/")
	if depth >= maxDepth && (typ == "multipart" || isMessage(mediaType)) {
		typ, subtype, mediaType, params = "application", "octet-stream", "application/octet-stream", nil
	}
	if typ == "multipart" {
		return w.multipart(header, body, subtype, params, depth)
	}
	c := &counter{r: body}
	bs := &imap.BodyStructureSinglePart{
		Type:        typ,
		Subtype:     subtype,
		Params:      w.params(params),
		ID:          w.keep(header.Get("Content-Id")),
		Description: w.keep(header.Get("Content-Description")),
		Encoding:    w.keep(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))),
		Extended: &imap.BodyStructureSinglePartExt{
			Disposition: w.disposition(header),
			Language:    w.language(header),
			Location:    w.keep(header.Get("Content-Location")),
		},
	}
	if isMessage(mediaType) {
		br := bufio.NewReader(c)
		child, _ := textproto.ReadHeader(br)
		bs.MessageRFC822 = &imap.BodyStructureMessageRFC822{
			Envelope:      w.envelope(child),
			BodyStructure: w.part(child, br, "text/plain", depth+1),
		}
		_, _ = io.Copy(io.Discard, br)
	}
	// An error here is the end of a part that its sender cut short.
	_, _ = io.Copy(io.Discard, c)
	bs.Size = uint32(c.bytes)
	if bs.MessageRFC822 != nil {
		bs.MessageRFC822.NumLines = c.lines
	}
	if typ == "text" {
		bs.Text = &imap.BodyStructureText{NumLines: c.lines}
	}
	return bs
}

func (w *walker) multipart(header message.Header, body io.Reader, subtype string, params map[string]string, depth int) imap.BodyStructure {
	bs := &imap.BodyStructureMultiPart{
		Subtype: subtype,
		Extended: &imap.BodyStructureMultiPartExt{
			Params:      w.params(params),
			Disposition: w.disposition(header),
			Language:    w.language(header),
			Location:    w.keep(header.Get("Content-Location")),
		},
	}
	childType := "text/plain"
	if subtype == "digest" {
		childType = "message/rfc822" // RFC 2046, 5.1.5
	}
	mr := textproto.NewMultipartReader(body, params["boundary"])
	for w.parts < maxParts {
		p, err := mr.NextPart()
		if err != nil {
			break
		}
		bs.Children = append(bs.Children, w.part(p.Header, p, childType, depth+1))
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
