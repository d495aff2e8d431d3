package imap

import (
	"errors"
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/mailbox"
	"gouv.tg/messagerie/mailstack/store"
)

// dereference returns what a URL of CATENATE stands for (RFC 4469, 3): a message of this server, or a section of it, that
// the account may read.
func (s *Session) dereference(text string) ([]byte, error) {
	refuse := &imap.Error{Type: imap.StatusResponseTypeNo, Code: codeBadURL + imap.ResponseCode(" "+quoted(text)), Text: "URL cannot be read"}
	absolute := text
	if strings.HasPrefix(text, ";") && s.selected != nil { // relative to the selected mailbox
		absolute = "/selected/" + text
	}
	url, err := syntax.ParseMessageURL(absolute)
	if err != nil {
		return nil, refuse
	}
	if absolute != text {
		url.Mailbox = s.selected.box.name
	}
	b, err := s.lookup(url.Mailbox)
	if err == nil {
		err = b.need(store.RightRead)
	}
	var reply *imap.Error
	switch {
	case errors.As(err, &reply) || errors.Is(err, store.ErrNoMailbox) || err == nil && url.UIDValidity != 0 && url.UIDValidity != b.UIDValidity:
		return nil, refuse
	case err != nil:
		return nil, err
	}
	view, err := s.server.mailboxes.Open(s.ctx, b.ID, false, nil)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	var found mailbox.Message
	if err := view.Each(s.ctx, imap.UIDSetNum(imap.UID(url.UID)), func(m mailbox.Message) error { found = m; return nil }); err != nil {
		return nil, err
	}
	if found.UID == 0 {
		return nil, refuse
	}
	raw, err := s.server.store.ReadContent(s.ctx, found.Content)
	if err != nil {
		return nil, err
	}
	if url.Section != nil {
		raw = section(raw, url.Section)
	}
	if p := url.Partial; p != nil && p.Size == 0 { // to the end
		p.Size = math.MaxInt64
	}
	return partial(raw, url.Partial), nil
}

// quoted is a client's text as it may stand in a response code.
func quoted(text string) string {
	b := []byte{'"'}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
