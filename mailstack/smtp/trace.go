package smtp

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// dateLayout is the date-time of RFC 5322, 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// received appends the trace field of this hop (RFC 5321, 4.4; protocols RFC 3848). The recipient is only named when
// there is one: a blind copy must not show.
func received(b []byte, helo, ip, hostname, protocol, id, to string, recipients int, now time.Time) []byte {
	add := func(parts ...string) {
		for _, p := range parts {
			b = append(b, p...)
		}
	}
	add("Received: from ", token(helo))
	if ip != "" {
		add(" (", addressLiteral(ip), ")")
	}
	add("\r\n\tby ", hostname, " with ", protocol, " id ", id)
	if recipients == 1 {
		add("\r\n\tfor <", token(to), ">")
	}
	add(";\r\n\t")
	return append(now.AppendFormat(b, dateLayout), "\r\n"...)
}

// token keeps what a peer said from breaking the field.
func token(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune("()<>;\\\"", r) {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "unknown"
	}
	return s[:min(len(s), 255)]
}

func addressLiteral(ip string) string {
	if strings.Contains(ip, ":") {
		return "[IPv6:" + token(ip) + "]"
	}
	return "[" + token(ip) + "]"
}

// newID is a random name for a message on this server.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
