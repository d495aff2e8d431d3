package content

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Message is a generated message. Raw is what goes on the wire: CRLF line ends, 7-bit, lines of at most 998 octets (RFC 5322, 2.1.1).
type Message struct {
	Token string
	From  string
	To    []string
	Raw   []byte

	number uint64
}

// Compose writes a message from one address to others, all of which are in its To. Its size, and whether it answers another or carries
// files, are drawn from rng. Safe for concurrent use, with an rng for each caller.
func (r *Run) Compose(rng *rand.Rand, from string, to []string, date time.Time) *Message {
	id := identity{run: r.id, worker: r.worker, number: r.number.Add(1)}
	var attachment bool
	id.size, attachment = r.sizes.draw(rng)
	if attachment {
		id.kind |= kindAttachment
	}
	conversation := thread{number: id.number, root: id.number}
	if rng.Float64() < r.options.ReplyShare {
		if earlier, ok := r.threads.pick(rng); ok {
			conversation.root, id.kind = earlier.root, id.kind|kindReply
			conversation.answered = earlier.number
		}
	}
	r.threads.add(conversation)

	id.addresses = filterBits(from)
	for _, address := range to {
		id.addresses |= filterBits(address)
	}
	variable := id.variableHeader(make([]byte, 0, 256+40*len(to)), from, to, date, conversation)
	id.headers = sum(emptyDigest, variable)

	raw := make([]byte, 0, 1024+len(variable)+id.size+id.size/16)
	raw = id.derivedHeader(raw)
	raw = append(raw, variable...)
	id.writeBody(func(part []byte) bool {
		raw = append(raw, part...)
		return true
	})
	return &Message{Token: id.token(), From: from, To: to, Raw: raw, number: id.number}
}

// derivedHeader appends the part of the header that follows from the token.
func (id *identity) derivedHeader(b []byte) []byte {
	b = append(append(append(b, TokenHeader...), ": "...), id.token()...)
	b = append(b, "\r\nMessage-ID: "...)
	b = messageID(b, id.run, id.worker, id.number)
	before, topic := id.subject(id.kind&kindReply != 0)
	b = append(append(append(b, "\r\nSubject: "...), before...), "\r\n "...)
	b = append(b, topic...)
	b = append(b, "\r\nMIME-Version: 1.0\r\n"...)
	if id.kind&kindAttachment == 0 {
		return append(b, textHeader...)
	}
	b = append(b, "Content-Type: multipart/mixed; boundary=\""...)
	return append(id.boundary(b), "\"\r\nContent-Transfer-Encoding: 7bit\r\n"...)
}

const textHeader = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"

// subject is a plain part and an encoded word (RFC 2047) for the next line.
func (id *identity) subject(reply bool) (before, topic string) {
	before = "N. " + strconv.FormatUint(id.number, 10)
	if reply {
		before = "Re: " + before
	}
	return before, encodedTopics()[id.origin().mixed()%uint64(len(topics))]
}

var encodedTopics = sync.OnceValue(func() []string {
	var words []string
	for _, topic := range topics {
		words = append(words, "=?utf-8?q?"+strings.ReplaceAll(quotedPrintable(topic), " ", "_")+"?=")
	}
	return words
})

// variableHeader appends the rest of the header: addresses, date and references, and the empty line.
func (id *identity) variableHeader(b []byte, from string, to []string, date time.Time, t thread) []byte {
	b = append(append(b, "From: "...), from...)
	b = append(b, "\r\nTo: "...)
	for i, address := range to {
		if i > 0 {
			b = append(b, ",\r\n "...)
		}
		b = append(b, address...)
	}
	b = append(b, "\r\nDate: "...)
	b = date.AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 -0700")
	if t.answered != 0 {
		b = append(b, "\r\nIn-Reply-To: "...)
		b = messageID(b, id.run, id.worker, t.answered)
		b = append(b, "\r\nReferences: "...)
		b = messageID(b, id.run, id.worker, t.root)
		if t.root != t.answered {
			b = append(b, "\r\n "...)
			b = messageID(b, id.run, id.worker, t.answered)
		}
	}
	return append(b, "\r\n\r\n"...)
}

// boundary is 20 octets that cannot come in quoted-printable or base64: RFC 2045, 6.7 advises "=_".
func (id *identity) boundary(b []byte) []byte {
	return appendHex(append(b, "=_lt"...), id.origin().mixed())
}

func appendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}

// bodyBuffers hold what writeBody makes at a time.
var bodyBuffers = sync.Pool{New: func() any { return new([8192]byte) }}

// writeBody makes the body piece by piece; a piece is valid until the next. It returns false if emit did.
func (id *identity) writeBody(emit func([]byte) bool) bool {
	space := bodyBuffers.Get().(*[8192]byte)
	defer bodyBuffers.Put(space)
	buffer := space[:0]
	rng := id.bodySeed()
	if id.kind&kindAttachment == 0 {
		return id.writeLetter(&rng, id.size, buffer, emit)
	}
	text := min(id.size, 1000+rng.below(4000))
	b := append(id.boundary(append(buffer, "--"...)), "\r\n"...)
	if !emit(append(append(b, textHeader...), "\r\n"...)) || !id.writeLetter(&rng, text, buffer, emit) {
		return false
	}
	for n, rest := 1+rng.below(3), id.size-text; n > 0; n-- {
		size := rest / n
		rest -= size
		if !id.writeFile(&rng, n, size, buffer, emit) {
			return false
		}
	}
	return emit(append(id.boundary(append(buffer, "\r\n--"...)), "--\r\n"...))
}

// writeLetter is a text, and for a reply the text it answers.
func (id *identity) writeLetter(rng *random, size int, buffer []byte, emit func([]byte) bool) bool {
	if id.kind&kindReply == 0 {
		return writeText(rng, "", size, buffer, emit)
	}
	return writeText(rng, "", size/2, buffer, emit) && emit([]byte("\r\n")) && writeText(rng, "> ", size/2, buffer, emit)
}

// Base64 lines are 57 octets as 76 characters (RFC 2045, 6.8).
const (
	lineOctets     = 57
	lineCharacters = 76
)

// writeFile is a part of about size octets on the wire.
func (id *identity) writeFile(rng *random, n, size int, buffer []byte, emit func([]byte) bool) bool {
	file := files[rng.below(len(files))]
	b := append(id.boundary(append(buffer, "\r\n--"...)), "\r\nContent-Type: "...)
	b = append(append(b, file[1]...), "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename=\"piece-"...)
	b = append(strconv.AppendInt(b, int64(n), 10), '.')
	if !emit(append(append(b, file[0]...), "\"\r\n\r\n"...)) {
		return false
	}
	var octets [lineOctets]byte
	b = buffer
	for left := max(1, size/(lineCharacters+2)); left > 0; left-- {
		rng.fill(octets[:])
		b = append(base64.StdEncoding.AppendEncode(b, octets[:]), "\r\n"...)
		if left == 1 || len(b) > cap(buffer)-lineCharacters-2 {
			if !emit(b) {
				return false
			}
			b = buffer
		}
	}
	return true
}
