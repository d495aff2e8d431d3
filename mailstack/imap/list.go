package imap

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"gouv.tg/messagerie/mailstack/store"
)

// List implements imapserver.Session (RFC 9051, 6.3.9; RFC 5258, RFC 5819, RFC 6154).
func (s *Session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	s.wire.command = "LIST"
	if len(patterns) == 0 { // LIST "" "" asks for the delimiter
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	mailboxes, err := s.store.Mailboxes(s.ctx, s.account.ID)
	if err != nil {
		return s.fail("LIST", err)
	}
	slices.SortFunc(mailboxes, func(a, b store.Mailbox) int {
		if inboxFirst := rank(a) - rank(b); inboxFirst != 0 {
			return inboxFirst
		}
		return strings.Compare(a.Name, b.Name)
	})
	for i := range mailboxes {
		m := &mailboxes[i]
		if !slices.ContainsFunc(patterns, func(pattern string) bool {
			return imapserver.MatchList(m.Name, delimiter, ref, inboxPattern(pattern))
		}) {
			continue
		}
		data := s.listData(m, mailboxes, options)
		if data == nil {
			continue
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

// inboxPattern puts INBOX as the first level into capitals, as the store has it (RFC 9051, 5.1).
func inboxPattern(pattern string) string {
	first, rest, deeper := strings.Cut(pattern, string(delimiter))
	if !strings.EqualFold(first, inbox) {
		return pattern
	}
	if deeper {
		return inbox + string(delimiter) + rest
	}
	return inbox
}

func rank(m store.Mailbox) int {
	if m.Name == inbox {
		return 0
	}
	return 1
}

// listData is the LIST response of a mailbox whose name matches, or nil when the selection options leave it out.
func (s *Session) listData(m *store.Mailbox, all []store.Mailbox, options *imap.ListOptions) *imap.ListData {
	data := &imap.ListData{Mailbox: m.Name, Delim: delimiter}
	hasChildren, childSubscribed := false, false
	for _, other := range all {
		if strings.HasPrefix(other.Name, m.Name+string(delimiter)) {
			hasChildren = true
			childSubscribed = childSubscribed || other.Subscribed
		}
	}
	if options.SelectSubscribed && !m.Subscribed {
		if !options.SelectRecursiveMatch || !childSubscribed {
			return nil
		}
		data.ChildInfo = &imap.ListDataChildInfo{Subscribed: true} // RFC 5258, 4
	}
	if options.SelectSpecialUse && m.SpecialUse == "" {
		return nil
	}
	if m.Subscribed && (options.SelectSubscribed || options.ReturnSubscribed) {
		data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
	}
	if hasChildren {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasChildren)
	} else {
		data.Attrs = append(data.Attrs, imap.MailboxAttrHasNoChildren)
	}
	if m.SpecialUse != "" {
		data.Attrs = append(data.Attrs, m.SpecialUse)
	}
	if options.ReturnStatus != nil {
		data.Status = s.statusData(m, options.ReturnStatus)
	}
	return data
}

// Status implements imapserver.Session (RFC 9051, 6.3.11).
func (s *Session) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	s.wire.command = "STATUS"
	mailbox, err := s.store.Mailbox(s.ctx, s.account.ID, name)
	if err != nil {
		return nil, s.fail("STATUS", err)
	}
	return s.statusData(&mailbox, options), nil
}

// statusData fills every item that may be asked for: the library dereferences those that were.
func (s *Session) statusData(m *store.Mailbox, options *imap.StatusOptions) *imap.StatusData {
	var recent uint32 // no session ever owns \Recent, as in IMAP4rev2
	limit := s.AppendLimit()
	data := &imap.StatusData{
		Mailbox: m.Name, NumMessages: &m.Messages, NumRecent: &recent, UIDNext: m.UIDNext, UIDValidity: m.UIDValidity,
		NumUnseen: &m.Unseen, NumDeleted: &m.Deleted, Size: &m.Size, AppendLimit: &limit, HighestModSeq: m.HighestModSeq,
	}
	if options.DeletedStorage {
		var size int64 // RFC 9208, 4.1.4
		messages, err := s.store.Messages(s.ctx, m.ID)
		if err != nil {
			s.log.Warn("cannot count deleted storage", "error", err)
		}
		for _, message := range messages {
			if slices.Contains(message.Flags, imap.FlagDeleted) {
				size += message.Size
			}
		}
		data.DeletedStorage = &size
	}
	return data
}
