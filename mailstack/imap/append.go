package imap

import (
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/mime"
)

// Append implements imapserver.Session (RFC 9051, 6.3.12). The library has checked the size.
func (s *Session) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	s.wire.command = "APPEND"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err != nil {
		return nil, s.tryCreate("APPEND", err)
	}
	if r.Size() > largeAppend {
		select {
		case s.server.appends <- struct{}{}:
			defer func() { <-s.server.appends }()
		case <-s.ctx.Done():
			return nil, s.fail("APPEND", s.ctx.Err())
		}
	}
	raw := make([]byte, r.Size())
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("cannot read message: %w", err)
	}
	if len(raw) == 0 {
		return nil, no(imap.ResponseCodeCannot, "Message is empty")
	}
	date := options.Time
	if date.IsZero() {
		date = time.Now()
	}
	placed, err := s.store.Append(s.ctx, mailbox.ID, mime.CRLF(raw), options.Flags, date, s)
	if err != nil {
		return nil, s.tryCreate("APPEND", err)
	}
	return &imap.AppendData{UIDValidity: placed.UIDValidity, UID: placed.UID}, nil
}
