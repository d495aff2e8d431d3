package delivery

import (
	"crypto/rand"
	"fmt"
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
	one := ""
	if len(s.rcpts) == 1 { // more would show recipients to each other
		one = "\r\n\tfor <" + s.rcpts[0] + ">"
	}
	return fmt.Sprintf("Received: from %s (%s)\r\n\tby %s with %s id %s%s;\r\n\t%s\r\n",
		hostname(s.peer.Hello), literal(s.peer.Conn.RemoteAddr()), s.svc.Hostname, with,
		strings.ToLower(rand.Text()[:16]), one, time.Now().UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
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
