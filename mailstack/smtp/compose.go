package smtp

import (
	"net/mail"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

// checkHeader refuses a header that names another author than the account, in From or in Sender (RFC 5322, 3.6.2;
// RFC 6409, 6.1), or that is no header.
func checkHeader(header []byte, own string) error {
	authors, senders := 0, 0
	for f := range mime.Fields(header) {
		switch {
		case f.Name() == "":
			return errBadHeader
		case f.Is("From"):
			if authors++; !onlyAddress(f.Value(), own) {
				return errNotOwnerHeader
			}
		case f.Is("Sender"):
			if senders++; !onlyAddress(f.Value(), own) {
				return errNotOwnerHeader
			}
		}
	}
	if authors != 1 { // two From fields show one author to one reader and another to the next
		return errNotOwnerHeader
	}
	if senders > 1 {
		return errBadHeader
	}
	return nil
}

var addressParser = mail.AddressParser{WordDecoder: mime.WordDecoder}

// onlyAddress tells whether every address of the list is the account's, and there is one.
func onlyAddress(list, own string) bool {
	addresses, err := addressParser.ParseList(list)
	if err != nil || len(addresses) == 0 {
		return false
	}
	for _, a := range addresses {
		if !strings.EqualFold(a.Address, own) {
			return false
		}
	}
	return true
}

// complete returns the message as it goes out: without the fields that are not for its readers, and with those that
// every message has (RFC 6409, 8.2 and 8.3). domain is that of new Message-IDs.
func complete(header, body []byte, domain string, now time.Time) []byte {
	private := func(f mime.Field) bool { return f.Is("Bcc") || f.Is("Resent-Bcc") || f.Is("Return-Path") }
	var hasDate, hasID, hasPrivate bool
	for f := range mime.Fields(header) {
		hasDate = hasDate || f.Is("Date")
		hasID = hasID || f.Is("Message-ID")
		hasPrivate = hasPrivate || private(f)
	}
	if hasPrivate {
		header = mime.Filter(header, func(f mime.Field) bool { return !private(f) })
	}
	var added string
	if !hasDate {
		added += "Date: " + now.Format(dateLayout) + "\r\n"
	}
	if !hasID {
		added += "Message-ID: <" + newID() + newID() + "@" + domain + ">\r\n"
	}
	raw := make([]byte, 0, len(added)+len(header)+len(body)+2)
	raw = append(raw, added...)
	raw = append(raw, header...)
	if len(body) == 0 && !endsHeader(header) {
		raw = append(raw, "\r\n"...) // a message of a header alone ends with an empty line all the same
	}
	return append(raw, body...)
}

// endsHeader tells whether a header has the empty line at its end.
func endsHeader(header []byte) bool {
	return strings.HasSuffix(string(header), "\r\n\r\n") || string(header) == "\r\n"
}
