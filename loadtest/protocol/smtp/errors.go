package smtp

import (
	"errors"
	"fmt"
	"strconv"
)

// Error is a refusal by the server.
type Error struct {
	Code     int    // RFC 5321, 4.2: 400 to 599
	Enhanced string // RFC 3463: "5.7.1"; empty when the server gave none
	Text     string // what follows the codes; lines are joined by "\n"
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("smtp: %s %s", e.Class(), e.Text) }

// Class is the code with the enhanced code: "454 4.7.0", or "454" when there is none.
func (e *Error) Class() string {
	if e.Enhanced == "" {
		return strconv.Itoa(e.Code)
	}
	return strconv.Itoa(e.Code) + " " + e.Enhanced
}

// ProtocolError is a reply that does not follow RFC 5321; the connection is of no use after it.
type ProtocolError struct{ Found, Accepted string }

// Error implements error.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("smtp: reply: found %q; accepted is %s", e.Found, e.Accepted)
}

// Errors of the client itself: nothing was sent.
var (
	ErrNoStartTLS   = errors.New("smtp: the server does not announce STARTTLS")
	ErrNoAuth       = errors.New("smtp: the server does not announce AUTH PLAIN")
	ErrNoRecipients = errors.New("smtp: no recipients")
	ErrAddress      = errors.New("smtp: a line break, NUL or angle bracket in an address or name")
	ErrLineBreak    = errors.New("smtp: a line of the message does not end in CRLF")
	ErrTooLarge     = errors.New("smtp: the message exceeds the server's SIZE") // RFC 1870
)
