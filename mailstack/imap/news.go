package imap

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// teller tells a client what a feed has gathered, as far as the client wants to hear of it and may.
type teller struct {
	s          *Session
	notices    *notices
	subscribed map[string]bool // set only where it matters
}

// tellNews tells what has happened outside of the selected mailbox (RFC 5465, 5; RFC 5464, 4.4).
func (s *Session) tellNews(n *news) error {
	t := &teller{s: s, notices: s.notices}
	if t.notices == nil {
		t.notices = &notices{}
	}
	if t.notices.subscribed() {
		var err error
		if t.subscribed, err = s.feed.subscriptions(); err != nil {
			return err
		}
	}
	if n.rights {
		more, err := s.feed.review(n.mine)
		if err != nil {
			return err
		}
		n.names = append(n.names, more...)
	}
	if err := t.names(n.names); err != nil {
		return err
	}
	if err := t.changes(n.changed); err != nil {
		return err
	}
	return t.entries(slices.Collect(maps.Keys(n.entries)))
}

// wants tells whether the client wants to hear of an event of a mailbox.
func (t *teller) wants(name string, event syntax.NotifyEvents) bool {
	return t.notices.events(name, t.subscribed).Has(event)
}

// names tells of mailboxes that came, went, were renamed, subscribed to or unsubscribed from (RFC 5465, 5.4 and 5.5).
func (t *teller) names(events []nameEvent) error {
	events = t.affected(events)
	if len(events) == 0 {
		return nil
	}
	mailboxes, err := t.s.tree()
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, e := range events {
		if !told[e.name] || e.old != "" {
			told[e.name] = true
			syntax.WriteList(t.s.w, mailboxes.state(e))
		}
	}
	return nil
}

// affected are the names that the client wants to hear of: of a mailbox that came or went, also its parent's.
func (t *teller) affected(events []nameEvent) (list []nameEvent) {
	for _, e := range events {
		if e.subscription { // of one that is or was among the subscribed
			if t.notices.events(e.name, map[string]bool{e.name: true}).Has(syntax.EventSubscriptionChange) {
				list = append(list, e)
			}
			continue
		}
		if t.wants(e.name, syntax.EventMailboxName) || e.old != "" && t.wants(e.old, syntax.EventMailboxName) {
			list = append(list, e)
		}
		if i := strings.LastIndexByte(e.name, delimiter); i > 0 && e.old == "" && t.wants(e.name[:i], syntax.EventMailboxName) {
			list = append(list, nameEvent{name: e.name[:i]})
		}
	}
	return list
}

// state is the LIST response that tells what a name stands for now.
func (t tree) state(e nameEvent) syntax.ListResponse {
	i := slices.IndexFunc(t, func(f folder) bool { return f.name == e.name })
	if i >= 0 {
		if r, ok := t.response(i, syntax.List{Return: syntax.ListReturn{Subscribed: true}}); ok {
			r.OldName = e.old
			return r
		}
	}
	r := syntax.ListResponse{Mailbox: e.name, Delimiter: delimiter, OldName: e.old, Attrs: []imap.MailboxAttr{imap.MailboxAttrNonExistent}}
	if e.lost {
		r.Attrs = append(r.Attrs, attrNoAccess)
	}
	if i >= 0 && t[i].subscribed {
		r.Attrs = append(r.Attrs, imap.MailboxAttrSubscribed)
	}
	return r
}

// changes tells of messages in mailboxes that are not selected (RFC 5465, 5.1 to 5.3).
func (t *teller) changes(changed map[store.MailboxID]syntax.NotifyEvents) error {
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		if t.s.selected != nil && t.s.selected.box.ID == id {
			continue
		}
		b, err := t.mailbox(id)
		if err != nil {
			return err
		}
		if b == nil || !b.may(store.RightLookup|store.RightRead) {
			continue
		}
		if events := t.notices.events(b.name, t.subscribed) & messageEvents; events&changed[id] != 0 {
			if err := t.s.writeStatus(b, statusItems(events, t.s.enabled.condStore)); err != nil {
				return err
			}
		}
	}
	return nil
}

// entries tells of annotations (RFC 5465, 5.6 and 5.7; RFC 5464, 4.4.2).
func (t *teller) entries(list []entry) error {
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.mailbox, b.mailbox), strings.Compare(a.name, b.name))
	})
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].mailbox == list[0].mailbox {
			n++
		}
		if err := t.annotations(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// annotations tells of annotations of one mailbox.
func (t *teller) annotations(list []entry) error {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	if list[0].mailbox == 0 {
		if t.s.enabled.metadata || t.notices.all().Has(syntax.EventServerMetadataChange) {
			syntax.WriteMetadataChange(t.s.w, "", names...)
		}
		return nil
	}
	b, err := t.mailbox(list[0].mailbox)
	if err != nil || b == nil || !b.may(store.RightLookup) || b.rights&annotating == 0 {
		return err
	}
	if t.s.enabled.metadata || b.may(store.RightRead) && t.wants(b.name, syntax.EventMailboxMetadataChange) {
		syntax.WriteMetadataChange(t.s.w, b.name, names...)
	}
	return nil
}

// mailbox reads a mailbox with the rights that the account has on it now; nil if it is not there, or not watched.
func (t *teller) mailbox(id store.MailboxID) (*box, error) {
	m, err := t.s.server.store.MailboxByID(t.s.ctx, id)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if m.Account == t.s.account.ID {
		return &box{Mailbox: m, name: m.Name, own: true, rights: store.AllRights}, nil
	}
	shared := t.s.feed.shared[id]
	if shared == nil {
		return nil, nil
	}
	rights, err := t.s.server.store.Rights(t.s.ctx, id, t.s.account.ID)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil, nil
	}
	owner, _, _ := foreignName(shared.name)
	return &box{Mailbox: m, name: foreignPath(owner, m.Name), rights: rights}, err
}
