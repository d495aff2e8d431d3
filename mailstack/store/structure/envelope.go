package structure

import (
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

const (
	maxField     = 64 << 10 // bytes of one field that the envelope looks at
	maxAddresses = 2000     // of one field
	maxReplies   = 100      // message ids in In-Reply-To
)

// envelope extracts the envelope (RFC 9051, 7.5.2) with the id of the thread's first message and the time it was sent.
// Of several fields of one name the first counts.
func (w *walker) envelope(header []byte) (e *imap.Envelope, root string, sent time.Time) {
	e = &imap.Envelope{}
	var date, subject, messageID, references, inReplyTo string
	var lists [6]string
	for f := range mime.Fields(header) {
		for _, known := range [...]struct {
			name  string
			value *string
		}{
			{"From", &lists[0]}, {"Sender", &lists[1]}, {"Reply-To", &lists[2]}, {"To", &lists[3]}, {"Cc", &lists[4]}, {"Bcc", &lists[5]},
			{"Date", &date}, {"Subject", &subject}, {"Message-Id", &messageID}, {"References", &references}, {"In-Reply-To", &inReplyTo},
		} {
			if f.Is(known.name) && *known.value == "" {
				*known.value = f.Value()
			}
		}
	}
	e.Subject = w.decode(subject[:min(len(subject), maxField)])
	e.Date = parseDate(date)
	if !e.Date.IsZero() {
		sent = e.Date.UTC()
	}
	e.MessageID = w.keep(firstMessageID(messageID))
	for id := range messageIDs(inReplyTo) {
		if len(e.InReplyTo) == maxReplies {
			break
		}
		e.InReplyTo = append(e.InReplyTo, w.keep(id))
	}
	for i, list := range [...]*[]imap.Address{&e.From, &e.Sender, &e.ReplyTo, &e.To, &e.Cc, &e.Bcc} {
		*list = w.addresses(lists[i])
	}
	for _, v := range []string{references, inReplyTo, messageID} {
		if root = firstMessageID(v); root != "" {
			break
		}
	}
	return e, root, sent
}

// addresses parses an address list; one that is too long is cut at a comma.
func (w *walker) addresses(v string) []imap.Address {
	if v == "" {
		return nil
	}
	if len(v) > maxField {
		v = v[:maxField]
		v = v[:max(0, strings.LastIndexByte(v, ','))]
	}
	list := parseAddresses(v)
	for i, a := range list {
		list[i] = imap.Address{Name: w.decode(a.Name), Mailbox: w.decode(a.Mailbox), Host: w.keep(a.Host)}
	}
	return list
}
