// Package structure computes the IMAP envelope and body structure of a message once, when it is stored, and keeps them as
// FETCH shows them: text of the ENVELOPE and BODYSTRUCTURE items (RFC 9051, 7.5.2).
//
// Values stand as they do in the message: encoded words, dates and parameters are the sender's spelling, unfolded. What
// no quoted string may hold stands in literals.
//
// Mail is whatever its sender made of it: nothing here fails or panics because a message is malformed, and everything is
// bounded (depth, number of parts, bytes of text kept). Parts are those of package mime, so that what FETCH BODY[1.2] returns
// is what the structure describes.
package structure

import (
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

const (
	maxDepth  = 50        // deeper parts are shown as opaque bytes
	maxParts  = 2000      // further parts are not listed
	maxText   = 512 << 10 // bytes of header text kept in one structure
	maxParams = 64        // of one field
	usual     = 1 << 10   // bytes that nearly all envelopes and structures take together
)

// Message is what is computed of a message.
type Message struct {
	Envelope  []byte // as FETCH ENVELOPE shows it; see ParseEnvelope
	Structure []byte // as FETCH BODYSTRUCTURE shows it; see AppendBody
	// Root is the id of the message that began the thread as far as this one tells: the first of its References, else
	// of its In-Reply-To, else its own Message-ID, without angle brackets; empty if it has none of them.
	Root string
	// Sent is the time in the Date field (RFC 5256, 2.2) in UTC; zero if there is none.
	Sent time.Time
}

// Texts of a message of which nothing can be said.
const (
	noEnvelope  = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
	noStructure = `("text" "plain" NIL NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`
)

// Compute computes everything of a message with CRLF line ends.
func Compute(raw []byte) (m Message) {
	// Some of the parsers below are other people's: a panic in one of them must not cost a delivery.
	defer func() {
		if recover() != nil {
			m = Message{Envelope: []byte(noEnvelope), Structure: []byte(noStructure)}
		}
	}()
	whole := mime.Whole(raw)
	e := fieldsOfEnvelope(whole.Header)
	w := writer{b: make([]byte, 0, usual), text: maxText}
	w.envelope(e)
	n := len(w.b)
	m.Envelope, m.Root, m.Sent = w.b[:n:n], e.root(), e.sent()
	w.text = maxText
	w.part(whole, 0)
	m.Structure = w.b[n:]
	return m
}
