package imap

import (
	"errors"
	"strings"
)

// ErrNoStartTLS is returned by Dial when STARTTLS is asked for and not offered.
var ErrNoStartTLS = errors.New("imap: the server does not announce STARTTLS")

// Error is the server's refusal: a tagged NO or BAD, or BYE.
type Error struct {
	// Status is NO, BAD or BYE; OK only for a STORE of which some messages were changed by others meanwhile (Code MODIFIED; RFC 7162, 3.1.3).
	Status string
	// Code is the response code without brackets, with its arguments: "OVERQUOTA", "MODIFIED 7,9" (RFC 5530); often empty.
	Code string
	Text string
}

func (e *Error) Error() string {
	if e.Code == "" {
		return "imap: " + e.Status + " " + e.Text
	}
	return "imap: " + e.Status + " [" + e.Code + "] " + e.Text
}

// Class is short enough to count by: "NO", "NO OVERQUOTA", "BYE".
func (e *Error) Class() string {
	code, _, _ := strings.Cut(e.Code, " ")
	return strings.TrimSuffix(e.Status+" "+code, " ")
}
