package content

import (
	"math/rand/v2"
	"time"
)

// Run is what one worker knows of one run's messages. Safe for concurrent use.
type Run struct{}

// NewRun returns the Run of one worker. The same id, worker and seed make the same messages.
func NewRun(id string, worker int, seed uint64, o Options) *Run { return &Run{} }

// Recipients draws a number of recipients: geometric with the mean of the options, at least 1, at most 100.
func (r *Run) Recipients(rng *rand.Rand) int { return 1 }

// Compose writes a message from one address to others.
func (r *Run) Compose(rng *rand.Rand, from string, to []string, date time.Time) *Message {
	return &Message{From: from, To: to}
}

// Message is a generated message: Raw is what goes on the wire, CRLF line ends, 7-bit, lines of at most 998 octets (RFC 5322, 2.1.1).
type Message struct {
	Token string
	From  string
	To    []string
	Raw   []byte
}

// TokenHeader is the name of the header that carries the token.
const TokenHeader = "X-Load-Token"

// Check recomputes a message from its token and compares. Headers that servers put on top are not looked at.
// The error names the first differing byte; the token is given even then, if it could be read.
func Check(raw []byte) (token string, err error) { return "", nil }

// TokenOf finds the token in a message or its header.
func TokenOf(header []byte) (token string, ok bool) { return "", false }
