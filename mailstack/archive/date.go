package archive

import (
	"net/mail"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
)

// headerDate is when a message arrived as its first Received field says (RFC 5321, 4.4), or when it was written as its
// Date field says; zero if neither can be read.
func headerDate(raw []byte) time.Time {
	header, _ := mime.Split(raw)
	received := mime.Get(header, "Received")
	for _, text := range []string{received[strings.LastIndexByte(received, ';')+1:], mime.Get(header, "Date")} {
		if len(text) > 200 {
			continue
		}
		if t, err := mail.ParseDate(strings.TrimSpace(text)); err == nil && t.UnixMilli() < maxDate && t.Unix() > 0 {
			return t.UTC()
		}
	}
	return time.Time{}
}
