package structure

import (
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-message/textproto"
)

const maxMessageID = 1000 // bytes

// root returns the first message id of References or In-Reply-To.
func root(h textproto.Header) string {
	for _, k := range []string{"References", "In-Reply-To"} {
		if id := firstMessageID(h.Get(k)); id != "" {
			return id
		}
	}
	return ""
}

// firstMessageID finds the first thing in angle brackets that looks like a msg-id (RFC 5322, 3.6.4); In-Reply-To has
// phrases besides in old mail.
func firstMessageID(v string) string {
	for {
		_, after, ok := strings.Cut(v, "<")
		if !ok {
			return ""
		}
		id, rest, ok := strings.Cut(after, ">")
		if !ok {
			return ""
		}
		if id = strings.TrimSpace(id); id != "" && len(id) <= maxMessageID && !strings.ContainsAny(id, " \t\r\n<") {
			return id
		}
		v = rest
	}
}

// sent returns the time of the Date field (RFC 5256, 2.2).
func sent(h textproto.Header) time.Time {
	t, err := mail.ParseDate(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
