package imap

import (
	"context"
	"fmt"
	"strings"
)

// Select opens a mailbox (RFC 9051, 6.3.2), with CONDSTORE (RFC 7162, 3.1.8) if wanted and announced: without it HighestModSeq may be 0.
// The Observer is told once, when it is open.
func (c *Client) Select(ctx context.Context, mailbox string, condstore bool) (Selected, error) {
	m := c.begin(ctx, "SELECT")
	m.selecting = true
	m.mailbox(mailbox)
	if condstore && c.Has("CONDSTORE") {
		m.raw("condstore", "(CONDSTORE)")
	}
	if err := m.end(); err != nil {
		return Selected{}, err
	}
	if c.observer != nil {
		c.observer.Selected(m.selected)
	}
	return m.selected, nil
}

// Status asks for a mailbox's counts without opening it: "MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ", "SIZE"
// (RFC 9051, 6.3.11). The keys are in upper case.
func (c *Client) Status(ctx context.Context, mailbox string, items ...string) (map[string]uint64, error) {
	m := c.begin(ctx, "STATUS")
	m.wantStatus = true
	m.mailbox(mailbox)
	m.raw("items", "("+strings.Join(items, " ")+")")
	if err := m.end(); err != nil {
		return nil, err
	}
	return m.status, nil
}

// List returns the mailboxes that match a pattern with the wildcards "*" and "%" and can be selected (RFC 9051, 6.3.9).
func (c *Client) List(ctx context.Context, pattern string) ([]string, error) {
	m := c.begin(ctx, "LIST")
	m.wantNames = true
	m.astring("")
	m.mailbox(pattern)
	if err := m.end(); err != nil {
		return nil, err
	}
	if !c.speaksUTF8() {
		for i, name := range m.names {
			m.names[i] = decodeMailbox(name)
		}
	}
	return m.names, nil
}

// speaksUTF8 says whether mailboxes' names are plain UTF-8: on servers that know nothing but IMAP4rev2 (RFC 9051, 5.1).
func (c *Client) speaksUTF8() bool { return c.Has("IMAP4REV2") && !c.Has("IMAP4REV1") }

// Append adds a message to a mailbox (RFC 9051, 6.3.12). UIDVALIDITY and UID are 0 when the server does not tell (UIDPLUS, RFC 4315).
func (c *Client) Append(ctx context.Context, mailbox string, flags []string, message []byte) (uidValidity, uid uint32, err error) {
	m := c.begin(ctx, "APPEND")
	m.mailbox(mailbox)
	if len(flags) > 0 {
		m.flags(flags)
	}
	m.text = append(m.text, ' ')
	m.literal(message)
	if err := m.end(); err != nil {
		return 0, 0, err
	}
	if args, ok := strings.CutPrefix(m.result.Code, "APPENDUID "); ok {
		if _, err := fmt.Sscanf(args, "%d %d", &uidValidity, &uid); err != nil {
			return 0, 0, protocolError(fmt.Sprintf("the code %.80q", m.result.Code))
		}
	}
	return uidValidity, uid, nil
}

// Create makes a mailbox (RFC 9051, 6.3.4).
func (c *Client) Create(ctx context.Context, mailbox string) error {
	m := c.begin(ctx, "CREATE")
	m.mailbox(mailbox)
	return m.end()
}

// Delete removes a mailbox with its messages (RFC 9051, 6.3.5).
func (c *Client) Delete(ctx context.Context, mailbox string) error {
	m := c.begin(ctx, "DELETE")
	m.mailbox(mailbox)
	return m.end()
}

// UIDExpunge removes those messages of a set of UIDs that are marked \Deleted (RFC 9051, 6.4.9).
func (c *Client) UIDExpunge(ctx context.Context, set string) error {
	m := c.begin(ctx, "UID EXPUNGE")
	m.raw("set", set)
	return m.end()
}
