package imap

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// selected is the selected mailbox of a session.
type selected struct {
	store    *store.Store
	id       store.MailboxID
	readOnly bool
	watch    *store.Watch
	view     *view
	saved    imap.UIDSet // result of the last SEARCH RETURN (SAVE), RFC 5182
}

// receive takes in what was committed since the last time, without waiting.
func (m *selected) receive(ctx context.Context) error {
	for {
		select {
		case batch, open := <-m.watch.Events():
			if !open {
				return store.ErrNoMailbox
			}
			m.view.apply(batch)
			continue
		default:
		}
		if !m.watch.Overflowed() {
			return nil
		}
		messages, err := m.store.Messages(ctx, m.id)
		if err != nil {
			return err
		}
		m.view.reread(messages)
	}
}

// uids returns the UIDs at the indexes, without those that are known to be expunged.
func (m *selected) uids(indexes []int) []imap.UID {
	uids := make([]imap.UID, 0, len(indexes))
	for _, i := range indexes {
		if e := &m.view.entries[i]; !e.gone {
			uids = append(uids, e.uid)
		}
	}
	return uids
}

// Select implements imapserver.Session (RFC 9051, 6.3.2).
func (s *Session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.wire.command = "SELECT"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err != nil {
		return nil, s.fail("SELECT", err)
	}
	// The watch begins before the messages are read, so that nothing is missed between; see view.apply.
	m := &selected{store: s.store, id: mailbox.ID, readOnly: options.ReadOnly, watch: s.store.Watch(mailbox.ID)}
	messages, err := s.store.Messages(s.ctx, mailbox.ID)
	if err != nil {
		m.watch.Close()
		return nil, s.fail("SELECT", err)
	}
	// What comes from now on has a UID that is not less than UIDNEXT: clients look for news from there on (RFC 9051, 2.3.1.1).
	if n := len(messages); n > 0 {
		mailbox.UIDNext = max(mailbox.UIDNext, messages[n-1].UID+1)
	}
	m.view = newView(messages)
	s.selected = m

	data := &imap.SelectData{
		Flags:       m.view.flagNames(),
		NumMessages: uint32(m.view.announced),
		UIDNext:     mailbox.UIDNext,
		UIDValidity: mailbox.UIDValidity,
	}
	if !m.readOnly {
		data.PermanentFlags = append(m.view.flagNames(), imap.FlagWildcard)
	}
	for i := range m.view.entries {
		if !m.view.hasFlag(&m.view.entries[i], imap.FlagSeen) {
			data.FirstUnseenSeqNum = uint32(i + 1)
			break
		}
	}
	if s.conn.EnabledCaps().Has(imap.CapIMAP4rev2) {
		data.List = &imap.ListData{Mailbox: mailbox.Name, Delim: delimiter}
	}
	return data, nil
}

// Unselect implements imapserver.Session (RFC 9051, 6.4.2).
func (s *Session) Unselect() error {
	s.wire.command = "UNSELECT"
	s.selected.watch.Close()
	s.selected = nil
	return nil
}

// writable refuses changes in a mailbox opened with EXAMINE.
func (s *Session) writable() error {
	if s.selected.readOnly {
		return no(imap.ResponseCodeCannot, "Mailbox is selected read-only")
	}
	return nil
}
