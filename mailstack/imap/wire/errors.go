package wire

import (
	"errors"
	"strconv"
)

// Errors of a Reader beside those of its source. After a *SyntaxError and after ErrTooBig the session goes on: Discard first,
// then answer. After ErrTooLong nothing is known of where the next command begins: the session ends.
var (
	// ErrTooLong reports lines over Limits.Line, or more bytes to skip than Limits.Discard: the answer is BYE.
	ErrTooLong = errors.New("command is too long")

	// ErrTooBig reports a literal over Limits.Literal, or literals over Limits.Literals: the answer is NO [TOOBIG] or BAD.
	ErrTooBig = errors.New("literal is too big")
)

// SyntaxError reports a command that breaks the grammar, or a limit on depth or number: the answer is BAD. Its text tells
// what is wrong and may be sent to the client.
type SyntaxError struct {
	Text string
}

// Error implements error.
func (e *SyntaxError) Error() string { return e.Text }

// Bad returns a *SyntaxError.
func Bad(text string) error {
	return &SyntaxError{Text: text}
}

// maxShown is how much of what a client sent is repeated in an error, in bytes.
const maxShown = 32

// BadFound returns a *SyntaxError that tells what was found and what is accepted. It is not for strings of a client, which
// may be secrets.
func BadFound(what, found, accepted string) error {
	if len(found) > maxShown {
		found = found[:maxShown] + "..."
	}
	return &SyntaxError{Text: what + ": found " + strconv.QuoteToASCII(found) + "; accepted: " + accepted}
}
