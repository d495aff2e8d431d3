package syntax

import (
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Append is APPEND (RFC 9051, section 6.3.12), of one message or many (RFC 3502). Its messages are read one by one:
//
//	a, err := ParseAppend(r)
//	for {
//		m, err := a.Next() // io.EOF after the last, when the command has been read to its end
//		...
//		for {
//			part, err := m.Part() // io.EOF after the last
//			...
//		}
//	}
//
// A literal of a part is read before Part is called again: what is left of it is skipped. The caller may stop at any
// point and Discard the rest of the command.
type Append struct {
	Mailbox string
	reader  *wire.Reader
}

// Replace is REPLACE and UID REPLACE (RFC 8508): an Append of exactly one message.
type Replace struct {
	UID    bool
	Number uint32 // of the message to replace: its UID or sequence number, 0 for "*"
	Append
}

// Message is a message of APPEND.
type Message struct {
	Flags    []imap.Flag
	Date     time.Time // zero if there is none
	Catenate bool      // it is put together from several parts (RFC 4469)
}

// Part is a part of a message of APPEND; a message that is not catenated has one. Either Literal or URL is set.
type Part struct {
	Literal *wire.Literal
	UTF8    bool // the literal was given as UTF8 (~{...}): its header may hold UTF-8 (RFC 6855, section 4)
	URL     string
}

// MessageURL is the URL of a message or of a part of it, relative to the server (RFC 5092, section 7; RFC 4469, section 3).
type MessageURL struct {
	Mailbox     string // decoded to UTF-8
	UIDValidity uint32 // 0 if there is none
	UID         uint32
	Section     *Section             // nil for the whole message
	Partial     *imap.SectionPartial // nil for all of it; a size of 0 means to the end
}
