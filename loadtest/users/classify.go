package users

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
)

// Exhausted is the class of failures that are the generator's own: they say nothing of the target.
const Exhausted = "generator: no descriptors or ports left"

// classify names the kind of an error in a word or two, to count by.
func classify(err error) string {
	var classed interface{ Class() string }
	var operation *net.OpError
	switch {
	case errors.As(err, &classed):
		return classed.Class()
	case errors.Is(err, context.DeadlineExceeded), wire.Timeout(err):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "unfinished" // when the test ended
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL),
		errors.Is(err, syscall.ENOBUFS):
		return Exhausted
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed):
		return "connection closed"
	case errors.As(err, &operation):
		return "connection: " + operation.Op
	}
	return "protocol"
}

// isRefusal tells an answer from a broken connection, after which a message may have been taken or not.
func isRefusal(err error) bool {
	var refusal *smtp.Error
	return errors.As(err, &refusal)
}

// errUnselected: after a refused SELECT no mailbox is selected (RFC 9051, 6.3.2), and a session of no use.
var errUnselected = errors.New("no mailbox is selected")

// broken tells a connection that is of no use any more from a command that was refused.
func broken(err error) bool {
	var refusal *imap.Error
	return err != nil && (!errors.As(err, &refusal) || refusal.Status == "BYE")
}
