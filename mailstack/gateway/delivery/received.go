package delivery

import (
	"crypto/rand"
	"net"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/gateway/guard"
)

// received is the trace field of RFC 5321, 4.4, for mail that enters here.
func (s *session) received() string {
	with := "ESMTP"
	if s.kind == LMTP {
		with = "LMTP"
	}
	if s.peer.TLS != nil {
		with += "S" // RFC 3848
	}
	b := make([]byte, 0, 256)
	for _, part := range []string{"Received: from ", hostname(s.peer.Hello), " (", literal(s.peer.Conn.RemoteAddr()), ")\r\n\tby ", s.svc.Hostname,
		" with ", with, " id ", strings.ToLower(rand.Text()[:16])} {
		b = append(b, part...)
	}
	if len(s.rcpts) == 1 { // more would show recipients to each other
		b = append(append(append(b, "\r\n\tfor <"...), s.rcpts[0]...), '>')
	}
	b = append(b, ";\r\n\t"...)
	b = time.Now().UTC().AppendFormat(b, "Mon, 2 Jan 2006 15:04:05 -0700")
	return string(append(b, "\r\n"...))
}

// hostname lets nothing of the peer's own choice into the header but a host name or an address literal.
func hostname(s string) string {
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("-._:[]", c):
		default:
			return "unknown"
		}
	}
	return s
}

// literal is RFC 5321's address literal.
func literal(a net.Addr) string {
	ip := guard.IP(a)
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}
