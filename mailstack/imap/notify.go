package imap

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

const (
	// What a client asks for with NOTIFY costs with every commit: so much of it is accepted (RFC 5465, 3.1).
	maxNotifyGroups = 32
	maxNotifyNames  = 1000

	messageEvents   = syntax.EventMessageNew | syntax.EventMessageExpunge | syntax.EventFlagChange
	arrivals        = syntax.EventMessageNew | syntax.EventMessageExpunge
	supportedEvents = messageEvents | syntax.EventMailboxName | syntax.EventSubscriptionChange |
		syntax.EventMailboxMetadataChange | syntax.EventServerMetadataChange
)

var (
	errBadEvent = no("BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "+
		"MailboxMetadataChange ServerMetadataChange)", "One of the events is not supported") // RFC 5465, 3.1
	errNotifyTooMuch = no(codeNotificationOverflow, "Too many mailboxes to tell of")
)

// notify is NOTIFY (RFC 5465, 3.1).
func (s *Session) notify(c *call) error {
	args, err := syntax.ParseNotify(s.r)
	if err != nil {
		return err
	}
	n, err := s.newNotices(args)
	if err != nil {
		return err
	}
	feed, err := s.openFeed(n)
	if err != nil {
		return s.fail(c.name, err)
	}
	if len(n.groups) > 0 {
		if err := s.survey(n, args.Status); err != nil {
			feed.close()
			return s.fail(c.name, err)
		}
	}
	if !args.None { // what came before is told as it was wished
		if s.selected != nil {
			s.sync(true)
		}
		s.deliver()
	}
	if s.ended {
		feed.close()
		return nil
	}
	s.feed.close()
	s.notices, s.feed = n, feed
	if slices.ContainsFunc(n.fetch, func(i syntax.FetchItem) bool { return i.Kind == syntax.FetchModSeq }) {
		s.useModSeq() // RFC 7162, 3.1
	}
	s.watch()
	return nil
}

// newNotices checks what a client asks for (RFC 5465, 5, 6 and 8).
func (s *Session) newNotices(args syntax.Notify) (*notices, error) {
	n := &notices{}
	names, selected := 0, false
	for _, g := range args.Groups {
		if len(g.Unknown) > 0 || g.Events&^supportedEvents != 0 {
			return nil, errBadEvent
		}
		if both := g.Events & arrivals; both != 0 && both != arrivals || g.Events.Has(syntax.EventFlagChange) && both == 0 {
			return nil, bad("MessageNew and MessageExpunge go together, and with FlagChange")
		}
		if g.Filter == syntax.NotifySelected || g.Filter == syntax.NotifySelectedDelayed {
			if selected {
				return nil, bad("The selected mailbox is named twice")
			}
			if g.Events&^messageEvents != 0 {
				return nil, bad("Of the selected mailbox only messages can be told")
			}
			selected = true
			n.selected, n.delayed, n.fetch = g.Events, g.Filter == syntax.NotifySelectedDelayed, g.Fetch
			continue
		}
		if len(g.Fetch) > 0 {
			return nil, bad("Items of FETCH are for the selected mailbox")
		}
		if names += len(g.Mailboxes); len(n.groups) == maxNotifyGroups || names > maxNotifyNames {
			return nil, errNotifyTooMuch
		}
		n.groups = append(n.groups, s.newGroup(g))
	}
	return n, nil
}

func (s *Session) newGroup(g syntax.NotifyGroup) group {
	names := make(map[string]bool, len(g.Mailboxes))
	for _, name := range g.Mailboxes {
		name = strings.TrimSuffix(name, string(delimiter))
		if owner, rest, foreign := foreignName(name); foreign {
			if name = foreignPath(strings.ToLower(owner), rest); strings.EqualFold(owner, s.account.Address) {
				name = rest
			}
		}
		names[name] = true
	}
	return group{filter: g.Filter, names: names, events: g.Events}
}

// survey looks at the mailboxes that a client asks to hear of. It tells their present state if the client wants that, and
// of those that it may see and not read that it will hear nothing (RFC 5465, 3.1).
func (s *Session) survey(n *notices, status bool) error {
	tree, err := s.tree()
	if err != nil {
		return err
	}
	subscribed := make(map[string]bool)
	for i := range tree {
		subscribed[tree[i].name] = tree[i].subscribed
	}
	for i := range tree {
		f := &tree[i]
		events := n.events(f.name, subscribed)
		switch {
		case f.virtual || events == 0:
		case !f.may(store.RightRead):
			r, _ := tree.response(i, syntax.List{})
			r.Attrs = append(r.Attrs, attrNoAccess)
			syntax.WriteList(s.w, r)
		case status && events&messageEvents != 0 && (s.selected == nil || s.selected.box.ID != f.ID):
			if err := s.writeStatus(&f.box, statusItems(events, true)); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusItems are what STATUS tells of a mailbox: RFC 5465, 3.1, 5.1, 5.2 and 5.3.
func statusItems(events syntax.NotifyEvents, modseq bool) (items syntax.StatusItems) {
	if events&arrivals != 0 {
		items |= syntax.StatusMessages | syntax.StatusUIDNext | syntax.StatusUIDValidity
	}
	if events.Has(syntax.EventFlagChange) {
		items |= syntax.StatusUnseen | syntax.StatusUIDValidity
	}
	if modseq {
		items |= syntax.StatusHighestModSeq
	}
	return items
}

// overflow gives up on telling what the client has asked for (RFC 5465, 5.8). Of annotations it has to hear all the same
// if it enabled that, which is not possible any more.
func (s *Session) overflow() {
	if s.enabled.metadata {
		s.bye("Too much has changed, please reconnect")
		return
	}
	s.w.Raw("* OK [" + string(codeNotificationOverflow) + "] Too much has changed\r\n")
	s.feed.close()
	s.notices, s.feed = &notices{}, nil
	s.watch()
}

// deliver tells what has happened outside of the selected mailbox.
func (s *Session) deliver() {
	if s.ended || s.feed == nil {
		return
	}
	news, ok := s.feed.take()
	if !ok {
		return
	}
	if !news.overflowed {
		err := s.tellNews(&news)
		if err == nil {
			return
		}
		if s.fail("notifications", err); s.ended { // faults are logged; the client has to ask for itself
			return
		}
	}
	s.overflow()
}

// attrNoAccess marks a mailbox that the account may not read (RFC 5465, 8).
const attrNoAccess imap.MailboxAttr = `\NoAccess`
