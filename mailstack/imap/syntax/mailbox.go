package syntax

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

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

// ParseMailbox reads the arguments of a command with the name of a mailbox alone: DELETE, SUBSCRIBE, UNSUBSCRIBE, GETACL,
// MYRIGHTS, GETQUOTAROOT.
func ParseMailbox(r *wire.Reader) (string, error) {
	name, err := spMailbox(r)
	if err != nil {
		return "", err
	}
	return name, r.CRLF()
}

func spMailbox(r *wire.Reader) (string, error) {
	if err := r.SP(); err != nil {
		return "", err
	}
	return r.Mailbox()
}

func spAString(r *wire.Reader) (string, error) {
	if err := r.SP(); err != nil {
		return "", err
	}
	return r.AString()
}

// ParseRename reads the arguments of RENAME.
func ParseRename(r *wire.Reader) (n Rename, err error) {
	if n.From, err = spMailbox(r); err != nil {
		return n, err
	}
	if n.To, err = spMailbox(r); err != nil {
		return n, err
	}
	return n, r.CRLF()
}

// ParseCreate reads the arguments of CREATE.
func ParseCreate(r *wire.Reader) (c Create, err error) {
	if c.Mailbox, err = spMailbox(r); err != nil {
		return c, err
	}
	if r.Accept(' ') {
		if err = r.List(func() error { return c.parameter(r) }); err != nil {
			return c, err
		}
	}
	return c, r.CRLF()
}

func (c *Create) parameter(r *wire.Reader) error {
	if word := r.Keyword(); string(word) != "USE" {
		return wire.BadFound("parameter of CREATE", string(word), "USE")
	}
	if err := r.SP(); err != nil {
		return err
	}
	return r.List(func() error {
		if err := r.Expect('\\'); err != nil {
			return err
		}
		use, err := r.Atom()
		c.SpecialUse = append(c.SpecialUse, specialUse(`\`+use))
		return err
	})
}

// specialUse returns the usual spelling of a special-use attribute (RFC 6154, section 2; RFC 8457).
func specialUse(name string) imap.MailboxAttr {
	for _, use := range []imap.MailboxAttr{imap.MailboxAttrAll, imap.MailboxAttrArchive, imap.MailboxAttrDrafts,
		imap.MailboxAttrFlagged, imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash, imap.MailboxAttrImportant} {
		if strings.EqualFold(name, string(use)) {
			return use
		}
	}
	return imap.MailboxAttr(name)
}
