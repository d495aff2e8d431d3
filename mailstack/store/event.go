package store

// EventKind says what happened.
type EventKind int

// What can happen.
const (
	EventAdded    EventKind = iota // Entries came into Mailbox
	EventFlags                     // Entries have other flags
	EventExpunged                  // Entries are gone: as they were, with the modseq of their going
	EventMailboxCreated
	EventMailboxRenamed // from OldName to Name
	EventMailboxDeleted
	EventSubscribed   // Account subscribed to Name; Mailbox is 0
	EventUnsubscribed // Account unsubscribed from Name; Mailbox is 0
	EventMetadata     // the annotations Keys of Mailbox (0: of the server) were set or removed (RFC 5464)
	EventACL          // the rights on Mailbox have changed (RFC 4314): ask Rights again
)

// Event is one committed change.
type Event struct {
	Kind    EventKind
	Account AccountID // the mailbox's owner; for subscriptions and private annotations, the one whose they are
	Mailbox MailboxID
	Name    string // the mailbox's name in its account; of EventSubscribed and EventUnsubscribed, the name subscribed
	OldName string
	Entries []Entry
	Keys    []string
	Origin  any // what the caller passed as origin, so that a session can tell its own changes

	also AccountID // another account that it concerns
	all  bool      // it concerns all accounts
}

// public is what subscribers get.
func (e Event) public() Event {
	e.also, e.all = 0, false
	return e
}

// Commit is what became durable together, as far as it concerns one subscriber, in the order in which it was done.
// Subscribers share it: nothing in it may be changed.
type Commit struct {
	Events []Event
}

// tell notes an event of messages for after the commit.
func (t *tx) tell(m *mailboxState, kind EventKind, origin any, entries ...Entry) {
	t.events = append(t.events, Event{Kind: kind, Account: m.account, Mailbox: m.id, Name: m.name, Entries: entries, Origin: origin})
}

// tellMailbox notes an event of a mailbox itself.
func (t *tx) tellMailbox(m *mailboxState, kind EventKind, origin any) {
	t.events = append(t.events, Event{Kind: kind, Account: m.account, Mailbox: m.id, Name: m.name, Origin: origin})
}
