package structure

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

const (
	maxField     = 64 << 10 // bytes of one field that the envelope looks at
	maxAddresses = 2000     // of one field
	maxReplies   = 100      // message ids in In-Reply-To
	maxOffset    = 24 * 3600
)

// envelope extracts the envelope. It may shorten fields of h.
func (w *walker) envelope(h textproto.Header) *imap.Envelope {
	for _, k := range []string{"Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-Id"} {
		if v := h.Get(k); len(v) > maxField {
			v = v[:maxField]
			h.Set(k, v[:max(0, strings.LastIndexByte(v, ','))])
		}
	}
	e := imapserver.ExtractEnvelope(h)
	if _, offset := e.Date.Zone(); offset <= -maxOffset || offset >= maxOffset {
		e.Date = e.Date.UTC() // some senders' zones are further away than a day
	}
	e.Subject = w.keep(e.Subject)
	e.MessageID = w.keep(e.MessageID)
	e.InReplyTo = e.InReplyTo[:min(len(e.InReplyTo), maxReplies)]
	for i, id := range e.InReplyTo {
		e.InReplyTo[i] = w.keep(id)
	}
	for _, f := range []struct {
		key  string
		list *[]imap.Address
	}{{"From", &e.From}, {"Sender", &e.Sender}, {"Reply-To", &e.ReplyTo}, {"To", &e.To}, {"Cc", &e.Cc}, {"Bcc", &e.Bcc}} {
		if *f.list == nil {
			*f.list = lenientAddresses(h.Get(f.key))
		}
		*f.list = w.addresses(*f.list)
	}
	return e
}

func (w *walker) addresses(list []imap.Address) []imap.Address {
	list = list[:min(len(list), maxAddresses)]
	for i, a := range list {
		list[i] = imap.Address{Name: w.keep(a.Name), Mailbox: w.keep(a.Mailbox), Host: w.keep(a.Host)}
	}
	return list
}

// lenientAddresses finds what looks like addresses in a field that the strict parser refuses as a whole.
func lenientAddresses(v string) []imap.Address {
	var list []imap.Address
	for item := range strings.SplitSeq(v, ",") {
		name, addr, angle := strings.Cut(item, "<")
		if !angle {
			name, addr = "", item
		}
		addr, _, _ = strings.Cut(addr, ">")
		mailbox, host, ok := strings.Cut(strings.TrimSpace(addr), "@")
		if !ok || mailbox == "" || host == "" || strings.ContainsAny(mailbox+host, " \t<>") || len(list) == maxAddresses {
			continue
		}
		list = append(list, imap.Address{
			Name:    strings.Trim(name, " \t\r\n\""),
			Mailbox: mailbox,
			Host:    host,
		})
	}
	return list
}
