package imap

import "time"

// Security says how a connection is protected.
type Security int

const (
	// Plain is no protection at all: for tests and for targets without TLS.
	Plain Security = iota
	// StartTLS upgrades a plain connection before anything is said (RFC 9051, 6.2.1); the session fails when the server does not offer it.
	StartTLS
	// ImplicitTLS starts with the TLS handshake (port 993; RFC 8314).
	ImplicitTLS
)

// Options of Dial.
type Options struct {
	Security Security
	// Observer is told what the server says unasked and asked; nil: nobody.
	Observer Observer
}

// Observer sees every untagged datum about the selected mailbox, in the order of the wire and before the command that carries it
// returns. It is called by whoever calls the client, or by a poller's goroutine while the session is idle: never by two at once.
// What SELECT itself sends comes as one Selected. Slices belong to the Observer once given.
type Observer interface {
	Selected(s Selected)
	Exists(n uint32)
	Expunge(seq uint32)
	Vanished(uids []UIDRange, earlier bool)
	Fetch(m *Message)
	Flags(flags []string)
}

// UIDRange is First to Last, both included, First <= Last.
type UIDRange struct{ First, Last uint32 }

// Selected is what SELECT tells of a mailbox (RFC 9051, 6.3.2). HighestModSeq is 0 when the server keeps none.
type Selected struct {
	Exists, UIDValidity, UIDNext uint32
	HighestModSeq                uint64
	Flags, PermanentFlags        []string
	ReadOnly                     bool
}

// Message is one FETCH response: what is not there is zero. Flag updates that nobody asked for have this shape too.
type Message struct {
	Seq, UID     uint32
	Flags        []string
	HasFlags     bool // FLAGS was there, even if empty
	ModSeq       uint64
	InternalDate time.Time
	Size         int64
	Envelope     *Envelope
	// Raw is the text of ENVELOPE as it came, parentheses and literals included: to hash.
	Raw []byte
	// Sections by name in upper case: "BODY[]", "BODY[HEADER.FIELDS (DATE FROM)]", "BODY[TEXT]<0>", "RFC822". NIL gives a nil slice.
	Sections map[string][]byte
}

// Envelope is a parsed header as the server sees it (RFC 9051, 7.5.2), undecoded.
type Envelope struct {
	Date, Subject                      string
	From, Sender, ReplyTo, To, Cc, Bcc []Address
	InReplyTo, MessageID               string
}

// Address is one address of an Envelope. A group begins with an empty Host and ends with an empty Mailbox as well.
type Address struct{ Name, Mailbox, Host string }
