package faults

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"strings"
	"time"
)

// Header fields by which a message proves itself.
const (
	tokenField = "X-Fault-Token"
	sumField   = "X-Fault-Body-SHA256"
)

// Sizes of bodies in bytes.
const (
	minBody = 1 << 10
	maxBody = 12 << 10
)

// Message is one message as it was sent, or meant to be.
type Message struct {
	Token   string // unique over everything ever sent
	From    string
	To      []string
	Sum     [sha256.Size]byte // of the body
	Outcome Outcome
}

// Outcome is what the sender knows of a message's fate.
type Outcome int

const (
	// NotSent: the message was never offered as a whole. It must not be anywhere.
	NotSent Outcome = iota
	// Acknowledged: 250 after DATA. Every recipient must have it once.
	Acknowledged
	// Unknown: the connection died, or a passing failure was reported, after DATA. Every recipient must have it once, or none.
	Unknown
	// Refused: 5xx after DATA. It must not be anywhere.
	Refused
)

// compose makes a message and its text.
func compose(random *rand.Rand, token, from string, to []string) (*Message, []byte) {
	body := makeBody(random, token)
	m := &Message{Token: token, From: from, To: to, Sum: sha256.Sum256(body)}
	var text bytes.Buffer
	fmt.Fprintf(&text, "From: <%s>\r\nTo: <%s>\r\nSubject: fault test %s\r\nDate: %s\r\nMessage-ID: <%s@faults.test>\r\n",
		from, strings.Join(to, ">, <"), token, time.Now().Format(time.RFC1123Z), token)
	fmt.Fprintf(&text, "%s: %s\r\n%s: %x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
		tokenField, token, sumField, m.Sum)
	text.Write(body)
	return m, text.Bytes()
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789 ."

// makeBody makes lines of random text between a first and a last line that hold the token. Some lines start with a dot,
// which the transport must double and undouble (RFC 5321, 4.5.2).
func makeBody(random *rand.Rand, token string) []byte {
	size := minBody + random.IntN(maxBody-minBody)
	body := make([]byte, 0, size+128)
	body = append(body, "first "+token+"\r\n"...)
	for len(body) < size {
		if random.IntN(16) == 0 {
			body = append(body, '.')
		}
		for range 1 + random.IntN(76) {
			body = append(body, letters[random.IntN(len(letters))])
		}
		body = append(body, '\r', '\n')
	}
	return append(body, "last "+token+"\r\n"...)
}

// Seen is a message as it was read back.
type Seen struct {
	UID     uint32
	Size    int64  // RFC822.SIZE
	Token   string // of the header
	Subject string
	Sum     [sha256.Size]byte
	Torn    string // why the message does not hold together; empty: it does
}

// inspect looks at the bytes of a message that was read back.
func inspect(uid uint32, size int64, raw []byte) Seen {
	s := Seen{UID: uid, Size: size}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		s.Torn = fmt.Sprintf("header cannot be read: %v", err)
		return s
	}
	s.Token, s.Subject = parsed.Header.Get(tokenField), parsed.Header.Get("Subject")
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	s.Sum = sha256.Sum256(body)
	switch {
	case size != int64(len(raw)):
		s.Torn = fmt.Sprintf("RFC822.SIZE %d but %d bytes", size, len(raw))
	case s.Token == "":
	case parsed.Header.Get(sumField) != hex.EncodeToString(s.Sum[:]):
		s.Torn = fmt.Sprintf("body of %d bytes does not have the SHA-256 in the header", len(body))
	case !bytes.HasPrefix(body, []byte("first "+s.Token+"\r\n")) || !bytes.HasSuffix(body, []byte("last "+s.Token+"\r\n")):
		s.Torn = "the body is another message's"
	}
	return s
}
