package syntax

import (
	"mime"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// WriteEnvelope writes an envelope (RFC 9051, section 7.5.2); nil is one without anything.
func WriteEnvelope(w *wire.Writer, e *imap.Envelope) {
	if e == nil {
		e = &imap.Envelope{}
	}
	w.Byte('(')
	writeMessageDate(w, e.Date)
	w.SP()
	writeDecoded(w, e.Subject)
	sender, replyTo := e.Sender, e.ReplyTo
	if len(sender) == 0 {
		sender = e.From
	}
	if len(replyTo) == 0 {
		replyTo = e.From
	}
	for _, list := range [...][]imap.Address{e.From, sender, replyTo, e.To, e.Cc, e.Bcc} {
		w.SP()
		writeAddresses(w, list)
	}
	w.SP()
	writeMessageIDs(w, e.InReplyTo)
	w.SP()
	if e.MessageID == "" {
		w.Nil()
	} else {
		writeMessageIDs(w, []string{e.MessageID})
	}
	w.Byte(')')
}

// writeMessageDate writes a date as in a header field (RFC 5322, section 3.3).
func writeMessageDate(w *wire.Writer, t time.Time) {
	if t.IsZero() {
		w.Nil()
	} else {
		w.MessageDate(t)
	}
}

// writeAddresses writes a list of addresses; an empty one is NIL.
func writeAddresses(w *wire.Writer, list []imap.Address) {
	if len(list) == 0 {
		w.Nil()
		return
	}
	w.Byte('(')
	for i := range list {
		a := &list[i]
		w.Byte('(')
		writeDecoded(w, a.Name)
		w.Raw(" NIL ")
		w.NString(a.Mailbox, a.Mailbox != "")
		w.SP()
		w.NString(a.Host, a.Host != "")
		w.Byte(')')
	}
	w.Byte(')')
}

// writeMessageIDs writes message identifiers, to which the brackets are added, as one string.
func writeMessageIDs(w *wire.Writer, ids []string) {
	if len(ids) == 0 {
		w.Nil()
		return
	}
	if len(ids) == 1 && quotable(ids[0]) { // without putting them together first
		w.Raw(`"<`)
		w.Raw(ids[0])
		w.Raw(`>"`)
		return
	}
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, '<'), id...), '>')
	}
	w.String(string(b))
}

// quotable tells whether s may stand in a quoted string as it is.
func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// writeDecoded writes text that was decoded from a header field. A client that does not know UTF-8 in strings gets encoded
// words again (RFC 2047). Empty text is NIL.
func writeDecoded(w *wire.Writer, s string) {
	switch {
	case s == "":
		w.Nil()
	case w.UTF8 || ascii(s):
		w.String(s)
	default:
		w.String(mime.BEncoding.Encode("utf-8", s))
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
