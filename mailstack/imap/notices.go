package imap

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/syntax"
)

// notices are what a client wants to hear of (RFC 5465).
type notices struct {
	selected syntax.NotifyEvents // of the selected mailbox
	delayed  bool                // SELECTED-DELAYED: of expunged messages only where any command may tell of them
	fetch    []syntax.FetchItem  // to be told of each new message
	groups   []group             // of mailboxes that are not selected
}

// group is an event group (RFC 5465, 6).
type group struct {
	filter syntax.NotifyFilter
	names  map[string]bool
	events syntax.NotifyEvents // 0: NONE
}

// has tells whether the group is about a mailbox.
func (g *group) has(name string, subscribed map[string]bool) bool {
	switch g.filter {
	case syntax.NotifyPersonal, syntax.NotifyInboxes: // which are the same: a rule may deliver to any mailbox (RFC 5465, 6.3)
		_, _, foreign := foreignName(name)
		return !foreign && name != otherUsers
	case syntax.NotifySubscribed:
		return subscribed[name]
	case syntax.NotifyMailboxes:
		return g.names[name]
	}
	if g.names[name] || g.names[""] {
		return true
	}
	for i := range name {
		if name[i] == delimiter && g.names[name[:i]] {
			return true
		}
	}
	return false
}

// events are what the client wants to hear of a mailbox that is not selected. Groups add up (RFC 5465, 6); those after one
// with NONE do not count.
func (n *notices) events(name string, subscribed map[string]bool) (events syntax.NotifyEvents) {
	for i := range n.groups {
		if g := &n.groups[i]; g.has(name, subscribed) {
			if g.events == 0 {
				break
			}
			events |= g.events
		}
	}
	return events
}

// all are the events of all groups.
func (n *notices) all() (events syntax.NotifyEvents) {
	for i := range n.groups {
		events |= n.groups[i].events
	}
	return events
}

// foreign tells whether mailboxes of other accounts may be among those that the client wants to hear of.
func (n *notices) foreign() bool {
	for i := range n.groups {
		g := &n.groups[i]
		if g.filter == syntax.NotifySubscribed {
			return true
		}
		for name := range g.names {
			if name == "" || name == otherUsers || strings.HasPrefix(name, otherUsers+string(delimiter)) {
				return true
			}
		}
	}
	return false
}

// subscribed tells whether subscriptions decide on what the client wants to hear of.
func (n *notices) subscribed() bool {
	for i := range n.groups {
		if n.groups[i].filter == syntax.NotifySubscribed {
			return true
		}
	}
	return false
}
