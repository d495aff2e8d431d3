package imap

import (
	"context"
	"strconv"
	"strings"
)

func (c *Client) beginUID(ctx context.Context, uid bool, name string) *command {
	if uid {
		name = "UID " + name
	}
	return c.begin(ctx, name)
}

// Fetch asks for items of a set of sequence numbers or UIDs, in the syntax of RFC 9051, 6.4.5: "(UID FLAGS)", "BODY.PEEK[]". What the
// server says of other messages meanwhile is among the result.
func (c *Client) Fetch(ctx context.Context, set, items string, uid bool) ([]*Message, error) {
	m := c.beginUID(ctx, uid, "FETCH")
	m.wantMessages = true
	m.raw("set", set)
	m.raw("items", items)
	err := m.end()
	return m.messages, err
}

// Store changes flags; action is "FLAGS", "+FLAGS" or "-FLAGS", with ".SILENT" behind or not (RFC 9051, 6.4.6). With unchangedSince not 0
// messages changed later stay as they are (RFC 7162, 3.1.3): then the error is an *Error with the code MODIFIED and the rest is done.
func (c *Client) Store(ctx context.Context, set, action string, flags []string, uid bool, unchangedSince uint64) ([]*Message, error) {
	m := c.beginUID(ctx, uid, "STORE")
	m.wantMessages = true
	m.raw("set", set)
	if unchangedSince > 0 {
		m.raw("unchangedSince", "(UNCHANGEDSINCE "+strconv.FormatUint(unchangedSince, 10)+")")
	}
	m.raw("action", action)
	m.flags(flags)
	err := m.end()
	if err == nil && strings.HasPrefix(m.result.Code, "MODIFIED") {
		modified := m.result
		err = &modified
	}
	return m.messages, err
}

// Copy adds a set of messages to another mailbox (RFC 9051, 6.4.7).
func (c *Client) Copy(ctx context.Context, set, mailbox string, uid bool) error {
	m := c.beginUID(ctx, uid, "COPY")
	m.raw("set", set)
	m.mailbox(mailbox)
	return m.end()
}

// Search returns the sequence numbers or UIDs of the messages that match, in the syntax of RFC 9051, 6.4.4: `UNSEEN SUBJECT "été"`.
// Quoted strings that are not ASCII are sent as literals in UTF-8. With ESEARCH the result comes as ranges, at most four million numbers; without,
// as one line, which must not exceed 64 KiB.
func (c *Client) Search(ctx context.Context, criteria string, uid bool) ([]uint32, error) {
	m := c.beginUID(ctx, uid, "SEARCH")
	m.wantNumbers = true
	if c.Has("ESEARCH") || c.Has("IMAP4REV2") {
		m.raw("return", "RETURN (ALL)")
	}
	if strings.ContainsFunc(criteria, func(c rune) bool { return c > 0x7e }) {
		m.raw("charset", "CHARSET UTF-8")
	}
	m.criteria(criteria)
	if err := m.end(); err != nil {
		return nil, err
	}
	return m.found, nil
}

// criteria adds search criteria; the quoted strings among them that cannot be sent so become literals.
func (m *command) criteria(text string) {
	if strings.Trim(text, " ") == "" || strings.ContainsAny(text, "\r\n\x00") {
		m.refuse("criteria", text, "text of one line, not empty")
		return
	}
	for between := " "; text != ""; between = "" {
		plain, rest, quoted := strings.Cut(text, `"`)
		if !quotable(plain) {
			m.refuse("criteria", plain, "ASCII outside quotes")
			return
		}
		m.text = append(append(m.text, between...), plain...)
		if text = rest; !quoted {
			return
		}
		r := reader{line: []byte(`"` + rest)}
		s := r.quoted()
		if r.err != nil {
			m.refuse("criteria", rest, "quoted strings that end")
			return
		}
		m.string(string(s))
		text = string(r.line)
	}
}
