package syntax

import (
	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// ListResponse is a LIST or LSUB response (RFC 9051, section 7.3.1; RFC 3501, section 7.2.3).
type ListResponse struct {
	Attrs     []imap.MailboxAttr
	Delimiter rune // 0 for none
	Mailbox   string
	ChildInfo []string // what of the selection options a mailbox below matches, such as SUBSCRIBED (RFC 5258, section 6)
	OldName   string   // empty for none (RFC 9051, section 6.3.9.7)
}

// WriteList writes a LIST response.
func WriteList(w *wire.Writer, l ListResponse) {
	w.Raw("* LIST ")
	l.write(w)
	if len(l.ChildInfo) > 0 || l.OldName != "" {
		w.Raw(" (")
		l.writeExtended(w)
		w.Byte(')')
	}
	w.CRLF()
}

// WriteLSub writes an LSUB response, which has no extended data.
func WriteLSub(w *wire.Writer, l ListResponse) {
	w.Raw("* LSUB ")
	l.write(w)
	w.CRLF()
}

func (l *ListResponse) write(w *wire.Writer) {
	w.Byte('(')
	for i, attr := range l.Attrs {
		if i > 0 {
			w.SP()
		}
		w.Raw(string(attr))
	}
	w.Raw(") ")
	writeDelimiter(w, l.Delimiter)
	w.SP()
	w.Mailbox(l.Mailbox)
}

// writeExtended writes extended data items (RFC 9051, section 9, mbox-list-extended).
func (l *ListResponse) writeExtended(w *wire.Writer) {
	if len(l.ChildInfo) > 0 {
		w.Raw(`"CHILDINFO" (`)
		for i, option := range l.ChildInfo {
			if i > 0 {
				w.SP()
			}
			w.String(option)
		}
		w.Byte(')')
	}
	if l.OldName != "" {
		if len(l.ChildInfo) > 0 {
			w.SP()
		}
		w.Raw(`"OLDNAME" (`)
		w.Mailbox(l.OldName)
		w.Byte(')')
	}
}

func writeDelimiter(w *wire.Writer, c rune) {
	if c == 0 {
		w.Nil()
	} else {
		w.String(string(c))
	}
}

// WriteNamespace writes a NAMESPACE response (RFC 2342, section 5). A kind without namespaces is NIL.
func WriteNamespace(w *wire.Writer, n imap.NamespaceData) {
	w.Raw("* NAMESPACE")
	for _, kind := range [][]imap.NamespaceDescriptor{n.Personal, n.Other, n.Shared} {
		w.SP()
		if len(kind) == 0 {
			w.Nil()
			continue
		}
		w.Byte('(')
		for _, d := range kind {
			w.Byte('(')
			w.Prefix(d.Prefix)
			w.SP()
			writeDelimiter(w, d.Delim)
			w.Byte(')')
		}
		w.Byte(')')
	}
	w.CRLF()
}
