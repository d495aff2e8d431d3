package structure

import (
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

const (
	maxField     = 64 << 10 // bytes of one field that the envelope looks at
	maxAddresses = 2000     // of one field
)

// envelopeFields are the fields that an envelope is made of, unfolded. Of several of one name the first counts.
type envelopeFields struct {
	date, subject, messageID, inReplyTo, references value
	lists                                           [6]value // From, Sender, Reply-To, To, Cc, Bcc
}

// value is a field's value, and whether there is such a field.
type value struct {
	text  string
	there bool
}

func fieldsOfEnvelope(header []byte) (e envelopeFields) {
	for f := range mime.Fields(header) {
		if v := e.place(f); v != nil && !v.there {
			*v = value{f.Value(), true}
		}
	}
	return e
}

// place is where a field's value belongs; nil if the envelope does not have it.
func (e *envelopeFields) place(f mime.Field) *value {
	switch {
	case f.Is("From"):
		return &e.lists[0]
	case f.Is("Sender"):
		return &e.lists[1]
	case f.Is("Reply-To"):
		return &e.lists[2]
	case f.Is("To"):
		return &e.lists[3]
	case f.Is("Cc"):
		return &e.lists[4]
	case f.Is("Bcc"):
		return &e.lists[5]
	case f.Is("Date"):
		return &e.date
	case f.Is("Subject"):
		return &e.subject
	case f.Is("Message-Id"):
		return &e.messageID
	case f.Is("References"):
		return &e.references
	case f.Is("In-Reply-To"):
		return &e.inReplyTo
	}
	return nil
}

// envelope writes ENVELOPE. Sender and Reply-To default to From (RFC 9051, 7.5.2).
func (w *writer) envelope(e envelopeFields) {
	w.raw("(")
	w.field(e.date)
	w.sp()
	w.field(e.subject)
	var from []address
	for i, v := range e.lists {
		w.sp()
		list := parseAddresses(bounded(v.text))
		switch {
		case i == 0:
			from = list
		case i <= 2 && len(list) == 0:
			list = from
		}
		w.addresses(list)
	}
	w.sp()
	w.field(e.inReplyTo)
	w.sp()
	w.field(e.messageID)
	w.raw(")")
}

// field writes a value; only what is not there is NIL.
func (w *writer) field(v value) {
	if !v.there {
		w.raw("NIL")
		return
	}
	w.str(v.text[:min(len(v.text), maxField)])
}

// bounded cuts an address list that is too long at a comma.
func bounded(v string) string {
	if len(v) > maxField {
		v = v[:maxField]
		v = v[:max(0, strings.LastIndexByte(v, ','))]
	}
	return v
}

func (w *writer) addresses(list []address) {
	if len(list) == 0 {
		w.raw("NIL")
		return
	}
	w.raw("(")
	for _, a := range list {
		w.raw("(")
		for i, s := range [...]string{a.Name, a.Route, a.Mailbox, a.Host} {
			if i > 0 {
				w.sp()
			}
			w.nstring(s)
		}
		w.raw(")")
	}
	w.raw(")")
}

// root is the id of the message that began the thread; see Message.
func (e *envelopeFields) root() string {
	for _, v := range []value{e.references, e.inReplyTo, e.messageID} {
		if id := firstMessageID(v.text); id != "" {
			return id
		}
	}
	return ""
}

func (e *envelopeFields) sent() time.Time {
	date := parseDate(e.date.text)
	if !date.IsZero() {
		date = date.UTC()
	}
	return date
}
