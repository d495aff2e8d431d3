// Package handover is the protocol by which a gateway hands messages to a cell, on streams that link.ProtocolDelivery opens.
//
// Each side sends frames: an octet that says what it is, the length of the payload in four octets, the payload. The gateway
// asks for one recipient at a time, and sends the parameters of the transaction along until one is taken; then it sends the message
// as it is, in as many frames as it likes, and an end. The cell answers each question and each end, and nothing else.
//
// A gateway that knows that a recipient can only be taken (see link.DirectoryUpdate) promises so to its peer and sends the question
// along with the message; such a question is not answered. Should the cell refuse that recipient after all, nobody gets the
// message: the end is answered with that refusal if there is no other recipient, and with a reply to try again if there is.
package handover

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-smtp"
)

// kind says what a frame is.
type kind byte

const (
	kindRecipient kind = 'R' // a question
	kindReset     kind = 'X' // gives the transaction up; empty, not answered
	kindData      kind = 'D' // a piece of the message
	kindEnd       kind = 'E' // the message is complete; empty
	kindVerdict   kind = 'V' // the answer, a list of replies: one to a question, one for each recipient taken to an end
)

// Bounds of frames.
const (
	headerSize  = 5        // octets before the payload
	maxControl  = 16 << 10 // octets of a question
	maxVerdict  = 1 << 20  // octets of an answer
	maxReply    = 512      // octets of the text of one reply
	bufferSize  = 4 << 10  // octets read at once of what is no message
	maxDataSize = 1 << 24  // octets of a piece of a message
)

// Mail holds the parameters of a transaction.
type Mail struct {
	Hello      string // what the sender's host calls itself
	From       string // as between angle brackets; empty: the null reverse path
	Size       int64  // declared, in octets (RFC 1870); 0: not declared
	EnvelopeID string // identity over retries (ENVID of RFC 3461, 4.4); empty: none
}

// question asks for a recipient.
type question struct {
	Mail     *Mail // starts a transaction
	To       string
	Promised bool // the gateway has told its peer already that the recipient is taken: no answer
}

// reply is an SMTP reply (RFC 5321, 4.2). The zero value is success.
type reply struct {
	Code     int
	Enhanced smtp.EnhancedCode // RFC 3463
	Text     string
}

func (r reply) err() error {
	if r.Code == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Enhanced, Message: r.Text}
}

// replyTo makes the reply of an error. What is no reply itself stays internal.
func replyTo(err error) reply {
	var wire *smtp.SMTPError
	switch {
	case err == nil:
		return reply{}
	case errors.As(err, &wire):
		return reply{wire.Code, wire.EnhancedCode, wire.Message[:min(len(wire.Message), maxReply)]}
	}
	return reply{451, smtp.EnhancedCode{4, 3, 0}, "local error, try again later"}
}

// putHeader writes the header of a frame to the first octets of b.
func putHeader(b []byte, k kind, size int) {
	b[0] = byte(k)
	binary.BigEndian.PutUint32(b[1:], uint32(size))
}

// frame appends a frame to b, and fill its payload.
func frame(b []byte, k kind, fill func([]byte) []byte) []byte {
	start := len(b)
	b = fill(append(b, make([]byte, headerSize)...))
	putHeader(b[start:], k, len(b)-start-headerSize)
	return b
}

func readHeader(r *bufio.Reader) (kind, int, error) {
	header, err := r.Peek(headerSize)
	if err != nil {
		if errors.Is(err, io.EOF) && len(header) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	k, size := kind(header[0]), binary.BigEndian.Uint32(header[1:])
	limit := 0
	switch k {
	case kindRecipient:
		limit = maxControl
	case kindVerdict:
		limit = maxVerdict
	case kindData:
		limit = maxDataSize
	case kindReset, kindEnd:
	default:
		return 0, 0, fmt.Errorf("kind of frame: found %q; accepted: R, X, D, E, V", byte(k))
	}
	if size > uint32(limit) {
		return 0, 0, fmt.Errorf("frame of kind %c: found %d octets; accepted: up to %d", k, size, limit)
	}
	r.Discard(headerSize)
	return k, int(size), nil
}

// payload reads the payload of a frame. It is valid until something else is read.
func payload(r *bufio.Reader, size int) ([]byte, error) {
	if size <= r.Size() {
		b, err := r.Peek(size)
		if err == nil {
			_, err = r.Discard(size)
		}
		return b, err
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}
