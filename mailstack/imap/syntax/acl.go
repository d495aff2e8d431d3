package syntax

import "github.com/emersion/go-imap/v2"

// SetACL is SETACL (RFC 4314, section 3.1).
type SetACL struct {
	Mailbox      string
	Identifier   string // "-name" for negative rights
	Modification imap.RightModification
	Rights       imap.RightSet // each once; c and d of RFC 2086 are kept as they are
}

// MailboxIdentifier is DELETEACL and LISTRIGHTS (RFC 4314, sections 3.2 and 3.4).
type MailboxIdentifier struct {
	Mailbox    string
	Identifier string
}
