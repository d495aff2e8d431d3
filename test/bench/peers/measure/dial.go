package measure

import (
	"context"
	"net/netip"

	"gouv.tg/messagerie/loadtest/protocol/imap"
	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
	"gouv.tg/messagerie/test/bench/peers/server"
)

// dialer gives each connection a source in another network of 2,048 addresses, as agents and other servers have: mox counts connections
// and messages by such networks, and refuses many from one.
func (b *Bench) dialer() *wire.Dialer {
	n := b.sources.Add(1)
	return &wire.Dialer{Local: netip.AddrFrom4([4]byte{127, 128 + byte(n>>5&127), byte(n&31) << 3, 9}), TLS: b.TLS}
}

// open connects to a server's IMAP, under TLS or not.
func (b *Bench) open(ctx context.Context, s *server.Server, secure bool) (*imap.Client, error) {
	if secure {
		return imap.Dial(ctx, b.dialer(), s.IMAPS, imap.Options{Security: imap.ImplicitTLS})
	}
	return imap.Dial(ctx, b.dialer(), s.IMAP, imap.Options{})
}

// login opens a session of a user under TLS.
func (b *Bench) login(ctx context.Context, s *server.Server, user string) (*imap.Client, error) {
	c, err := b.open(ctx, s, true)
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx, user, server.Password); err != nil {
		c.Disconnect()
		return nil, err
	}
	return c, nil
}

// deliverTo opens a session to deliver, without TLS, as between servers of one house.
func (b *Bench) deliverTo(ctx context.Context, w server.Way) (*smtp.Client, error) {
	return smtp.Dial(ctx, b.dialer(), w.Address, smtp.Options{LMTP: w.LMTP})
}
