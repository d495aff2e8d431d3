package smtp

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// dateLayout is the date-time of RFC 5322, 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// received is the trace field of this hop (RFC 5321, 4.4; protocols RFC 3848). The recipient is only named when
// there is one: a blind copy must not show.
func received(helo, ip, hostname, protocol, id, to string, recipients int, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Received: from %s", token(helo))
	if ip != "" {
		fmt.Fprintf(&b, " (%s)", addressLiteral(ip))
	}
	fmt.Fprintf(&b, "\r\n\tby %s with %s id %s", hostname, protocol, id)
	if recipients == 1 {
		fmt.Fprintf(&b, "\r\n\tfor <%s>", token(to))
	}
	fmt.Fprintf(&b, ";\r\n\t%s\r\n", now.Format(dateLayout))
	return b.String()
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
