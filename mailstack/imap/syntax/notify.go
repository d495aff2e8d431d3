package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// Notify is NOTIFY (RFC 5465).
type Notify struct {
	None   bool // NOTIFY NONE
	Status bool // NOTIFY SET STATUS: tell of the mailboxes first
	Groups []NotifyGroup
}

// NotifyGroup is an event group: which events are told of which mailboxes. No events is NONE.
type NotifyGroup struct {
	Filter    NotifyFilter
	Mailboxes []string // of NotifySubtree and NotifyMailboxes
	Events    NotifyEvents
	Fetch     []FetchItem // of MessageNew, for the selected mailbox
	Unknown   []string    // events that are not known: the answer is NO [BADEVENT]
}

// NotifyFilter says which mailboxes an event group is about (RFC 5465, section 6).
type NotifyFilter uint8

// Filters of mailboxes.
const (
	NotifySelected NotifyFilter = iota
	NotifySelectedDelayed
	NotifyInboxes
	NotifyPersonal
	NotifySubscribed
	NotifySubtree
	NotifyMailboxes
)

// NotifyEvents is a set of events (RFC 5465, section 5).
type NotifyEvents uint8

// Events.
const (
	EventMessageNew NotifyEvents = 1 << iota
	EventMessageExpunge
	EventFlagChange
	EventAnnotationChange
	EventMailboxName
	EventSubscriptionChange
	EventMailboxMetadataChange
	EventServerMetadataChange
)

// Has tells whether all of events are in e.
func (e NotifyEvents) Has(events NotifyEvents) bool { return e&events == events }

// ParseNotify reads the arguments of NOTIFY.
func ParseNotify(r *wire.Reader) (n Notify, err error) {
	if err = r.SP(); err != nil {
		return n, err
	}
	switch word := r.Keyword(); string(word) {
	case "NONE":
		n.None = true
		return n, r.CRLF()
	case "SET":
	default:
		return n, wire.BadFound("argument of NOTIFY", string(word), "NONE, SET")
	}
	if r.Follows(" STATUS") {
		r.Accept(' ')
		r.Keyword()
		n.Status = true
	}
	selected := false
	for len(n.Groups) == 0 || r.Peek() == ' ' {
		if err = r.SP(); err != nil {
			return n, err
		}
		if err = r.Item(); err != nil {
			return n, err
		}
		g, err := notifyGroup(r)
		if err != nil {
			return n, err
		}
		if g.ofSelected() {
			if selected { // RFC 5465, section 6.1
				return n, wire.Bad("the selected mailbox has two groups of events")
			}
			selected = true
		}
		n.Groups = append(n.Groups, g)
	}
	return n, r.CRLF()
}

// notifyFilters are the names of filters.
var notifyFilters = map[string]NotifyFilter{
	"SELECTED": NotifySelected, "SELECTED-DELAYED": NotifySelectedDelayed, "INBOXES": NotifyInboxes,
	"PERSONAL": NotifyPersonal, "SUBSCRIBED": NotifySubscribed, "SUBTREE": NotifySubtree, "MAILBOXES": NotifyMailboxes,
}

// notifyGroup takes an event group (RFC 5465, section 8).
func notifyGroup(r *wire.Reader) (g NotifyGroup, err error) {
	if err = r.Expect('('); err != nil {
		return g, err
	}
	word := r.Keyword()
	filter, ok := notifyFilters[string(word)]
	if !ok {
		return g, wire.BadFound("filter of mailboxes", string(word),
			"SELECTED, SELECTED-DELAYED, INBOXES, PERSONAL, SUBSCRIBED, SUBTREE, MAILBOXES")
	}
	g.Filter = filter
	if err = r.SP(); err != nil {
		return g, err
	}
	if filter == NotifySubtree || filter == NotifyMailboxes {
		if g.Mailboxes, err = mailboxes(r); err != nil {
			return g, err
		}
		if err = r.SP(); err != nil {
			return g, err
		}
	}
	if err = g.events(r); err != nil {
		return g, err
	}
	if err = g.check(); err != nil {
		return g, err
	}
	return g, r.Expect(')')
}

// ofSelected tells whether the group is about the selected mailbox.
func (g *NotifyGroup) ofSelected() bool {
	return g.Filter == NotifySelected || g.Filter == NotifySelectedDelayed
}

// check refuses events that do not go together (RFC 5465, sections 5 and 6.1).
func (g *NotifyGroup) check() error {
	const messages = EventMessageNew | EventMessageExpunge
	const changes = EventFlagChange | EventAnnotationChange
	switch {
	case g.Events&(messages|changes) != 0 && !g.Events.Has(messages):
		return wire.Bad("events of messages are without MessageNew and MessageExpunge, which are needed with them")
	case g.ofSelected() && g.Events&^(messages|changes) != 0:
		return wire.Bad("events of the selected mailbox are not events of messages")
	case !g.ofSelected() && g.Fetch != nil:
		return wire.Bad("MessageNew has items of FETCH, which are accepted for the selected mailbox")
	}
	return nil
}

// mailboxes takes the name of a mailbox, or a list of them.
func mailboxes(r *wire.Reader) (names []string, err error) {
	one := func() error {
		name, err := r.Mailbox()
		names = append(names, name)
		return err
	}
	if r.Peek() == '(' {
		err = r.List(one)
	} else {
		err = one()
	}
	if err == nil && len(names) == 0 {
		err = wire.Bad("list of mailboxes is empty")
	}
	return names, err
}

// events takes NONE, or a list of events.
func (g *NotifyGroup) events(r *wire.Reader) error {
	if r.Peek() != '(' {
		if word := r.Keyword(); string(word) != "NONE" {
			return wire.BadFound("events", string(word), "NONE, or a list of events")
		}
		return nil
	}
	empty := true
	err := r.List(func() error {
		empty = false
		return g.event(r)
	})
	if err == nil && empty {
		err = wire.Bad("list of events is empty")
	}
	return err
}

// notifyEvents are the names of events.
var notifyEvents = map[string]NotifyEvents{
	"MESSAGENEW": EventMessageNew, "MESSAGEEXPUNGE": EventMessageExpunge, "FLAGCHANGE": EventFlagChange,
	"ANNOTATIONCHANGE": EventAnnotationChange, "MAILBOXNAME": EventMailboxName,
	"SUBSCRIPTIONCHANGE": EventSubscriptionChange, "MAILBOXMETADATACHANGE": EventMailboxMetadataChange,
	"SERVERMETADATACHANGE": EventServerMetadataChange,
}

// event takes one event, with the items of FETCH that MessageNew may have.
func (g *NotifyGroup) event(r *wire.Reader) error {
	name, err := r.Atom()
	if err != nil {
		return err
	}
	event, known := notifyEvents[strings.ToUpper(name)]
	if !known {
		g.Unknown = append(g.Unknown, name)
		return nil
	}
	g.Events |= event
	if event == EventMessageNew && r.Follows(" (") {
		r.Accept(' ')
		g.Fetch, err = fetchItems(r)
	}
	return err
}
