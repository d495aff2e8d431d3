package syntax

import (
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

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

// ParseSetACL reads the arguments of SETACL.
func ParseSetACL(r *wire.Reader) (a SetACL, err error) {
	if a.Mailbox, err = spMailbox(r); err != nil {
		return a, err
	}
	if a.Identifier, err = spAString(r); err != nil {
		return a, err
	}
	rights, err := spAString(r)
	if err != nil {
		return a, err
	}
	if rights != "" && (rights[0] == '+' || rights[0] == '-') {
		a.Modification, rights = imap.RightModification(rights[0]), rights[1:]
	}
	for i := range len(rights) {
		c := rights[i]
		if (c < 'a' || 'z' < c) && (c < '0' || '9' < c) {
			return a, wire.Bad("rights are malformed; accepted are small letters and digits")
		}
		if !slices.Contains(a.Rights, imap.Right(c)) {
			a.Rights = append(a.Rights, imap.Right(c))
		}
	}
	return a, r.CRLF()
}

// ParseMailboxIdentifier reads the arguments of DELETEACL and LISTRIGHTS.
func ParseMailboxIdentifier(r *wire.Reader) (a MailboxIdentifier, err error) {
	if a.Mailbox, err = spMailbox(r); err != nil {
		return a, err
	}
	if a.Identifier, err = spAString(r); err != nil {
		return a, err
	}
	return a, r.CRLF()
}

// ACLEntry is what an identifier may do.
type ACLEntry struct {
	Identifier string
	Rights     imap.RightSet
}

// WriteACL writes an ACL response (RFC 4314, section 3.6).
func WriteACL(w *wire.Writer, mailbox string, entries []ACLEntry) {
	w.Raw("* ACL ")
	w.Mailbox(mailbox)
	for _, e := range entries {
		w.SP()
		w.AString(e.Identifier)
		w.SP()
		w.AString(string(e.Rights))
	}
	w.CRLF()
}

// WriteListRights writes a LISTRIGHTS response (RFC 4314, section 3.7): rights that the identifier always has, and sets of
// rights that are granted together.
func WriteListRights(w *wire.Writer, mailbox, identifier string, required imap.RightSet, optional ...imap.RightSet) {
	w.Raw("* LISTRIGHTS ")
	w.Mailbox(mailbox)
	w.SP()
	w.AString(identifier)
	w.SP()
	w.AString(string(required))
	for _, set := range optional {
		w.SP()
		w.AString(string(set))
	}
	w.CRLF()
}

// WriteMyRights writes a MYRIGHTS response (RFC 4314, section 3.8).
func WriteMyRights(w *wire.Writer, mailbox string, rights imap.RightSet) {
	w.Raw("* MYRIGHTS ")
	w.Mailbox(mailbox)
	w.SP()
	w.AString(string(rights))
	w.CRLF()
}
