package syntax

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
