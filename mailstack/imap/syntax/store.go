package syntax

import "github.com/emersion/go-imap/v2"

// Store is STORE and UID STORE (RFC 9051, section 6.4.6).
type Store struct {
	UID               bool
	Set               imap.NumSet // imap.SearchRes for "$"
	UnchangedSince    uint64      // RFC 7162, section 3.1.3
	HasUnchangedSince bool        // it was given: 0 is a value too
	Op                imap.StoreFlagsOp
	Silent            bool
	Flags             []imap.Flag
}

// Copy is COPY, MOVE and their UID forms (RFC 9051, sections 6.4.7 and 6.4.8).
type Copy struct {
	UID     bool
	Set     imap.NumSet // imap.SearchRes for "$"
	Mailbox string
}
