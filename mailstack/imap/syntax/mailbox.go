package syntax

import "github.com/emersion/go-imap/v2"

// Select is SELECT or EXAMINE (RFC 9051, sections 6.3.2 and 6.3.3).
type Select struct {
	Mailbox   string
	CondStore bool     // RFC 7162, section 3.1.8
	QResync   *QResync // nil if not asked for
}

// QResync is what a client knows of a mailbox that it selects again (RFC 7162, section 3.2.5).
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	Known       imap.UIDSet // UIDs that the client knows; nil if it did not say
	// Pairs of sequence numbers and the UIDs they had: the n-th of Seqs belongs to the n-th of UIDs. nil if there are none.
	Seqs imap.SeqSet
	UIDs imap.UIDSet
}

// Create is CREATE (RFC 9051, section 6.3.4).
type Create struct {
	Mailbox    string
	SpecialUse []imap.MailboxAttr // RFC 6154, section 3
}

// Rename is RENAME (RFC 9051, section 6.3.6).
type Rename struct {
	From, To string
}

// Status is STATUS (RFC 9051, section 6.3.11).
type Status struct {
	Mailbox string
	Items   StatusItems
}

// StatusItems is a set of items of STATUS.
type StatusItems uint16

// Items of STATUS.
const (
	StatusMessages       StatusItems = 1 << iota
	StatusRecent                     // RFC 3501 only
	StatusUIDNext                    //
	StatusUIDValidity                //
	StatusUnseen                     //
	StatusDeleted                    // RFC 9051, RFC 9208
	StatusSize                       // RFC 9051, RFC 8438
	StatusAppendLimit                // RFC 7889
	StatusDeletedStorage             // RFC 9208
	StatusHighestModSeq              // RFC 7162
	StatusMailboxID                  // RFC 8474
)

// Has tells whether all of items are in s.
func (s StatusItems) Has(items StatusItems) bool { return s&items == items }
