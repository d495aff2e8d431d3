package smtp

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Receipt is the outcome of a transaction that went through.
type Receipt struct {
	Refused map[string]*Error // by recipient; nil when all were accepted
	Reply   string            // the text of the last positive reply: servers put their queue's name for the message there
}

func addressLiteral(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	switch {
	case err != nil:
		return "[127.0.0.1]"
	case at.Addr().Unmap().Is4():
		return "[" + at.Addr().Unmap().String() + "]"
	}
	return "[IPv6:" + at.Addr().WithZone("").String() + "]"
}

// Send is one transaction: MAIL, RCPT for each recipient, and the message, whose lines end in CRLF.
//
// Recipients that the server refused are in the Receipt, with LMTP also those it refused after the message; err is
// for the whole: an *Error when the sender, all recipients or the message were refused, after which the session is ready
// for the next transaction, and anything else when the connection is of no use any more. When err is an *Error, the
// Receipt still tells the recipients' own refusals.
func (c *Client) Send(ctx context.Context, from string, to []string, message []byte) (Receipt, error) {
	if len(to) == 0 {
		return Receipt{}, ErrNoRecipients
	}
	if c.size > 0 && int64(len(message)) > c.size {
		return Receipt{}, ErrTooLarge
	}
	for _, address := range to {
		if strings.ContainsAny(address, "\r\n") {
			return Receipt{}, ErrAddress
		}
	}
	if strings.ContainsAny(from, "\r\n") {
		return Receipt{}, ErrAddress
	}
	defer c.conn.Within(ctx)()
	_ = strconv.Itoa
	return Receipt{}, ErrNoRecipients
}
