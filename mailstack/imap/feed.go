package imap

import (
	"strings"
	"sync"

	"gouv.tg/messagerie/mailstack/imap/syntax"
	"gouv.tg/messagerie/mailstack/store"
)

// maxNews bounds what waits to be told to one client.
const maxNews = 1000

// feed gathers for a session what the store commits outside of its selected mailbox. It is filled on the goroutine of the
// store's writer and emptied when the session has time.
type feed struct {
	session *Session
	wanted  syntax.NotifyEvents
	foreign bool // the mailboxes of other accounts are watched too
	cancel  func()

	// The session's:
	shared     map[store.MailboxID]*sharedBox
	subscribed map[string]bool // names; nil if they have to be read

	mu    sync.Mutex
	awake bool // the session is told at once
	news  news
}

// news is what has happened.
type news struct {
	changed    map[store.MailboxID]syntax.NotifyEvents // messages of mailboxes
	names      []nameEvent
	entries    map[entry]struct{}
	subscribed bool                         // there are other subscriptions
	rights     bool                         // mailboxes of other accounts may have come, gone or been renamed
	mine       map[store.MailboxID]struct{} // of those, what the session has done itself
	overflowed bool                         // and nothing is known any more
}

// entry is an annotation of a mailbox, of the server if that is 0.
type entry struct {
	mailbox store.MailboxID
	name    string
}

// nameEvent is that a mailbox came, went or was renamed, or was subscribed to or unsubscribed from.
type nameEvent struct {
	name         string
	old          string // of a renamed one
	lost         bool   // the account may not look it up any more
	subscription bool
}

// openFeed begins to gather what a client wants to hear of; nil if that is nothing.
func (s *Session) openFeed(n *notices) (*feed, error) {
	wanted := n.all()
	if s.enabled.metadata {
		wanted |= syntax.EventMailboxMetadataChange | syntax.EventServerMetadataChange
	}
	if wanted == 0 {
		return nil, nil
	}
	f := &feed{session: s, wanted: wanted, foreign: s.enabled.metadata || n.foreign()}
	f.cancel = s.server.store.Subscribe(s.account.ID, f.receive)
	if f.foreign {
		if _, err := f.review(nil); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// close ends the feed. It may be nil.
func (f *feed) close() {
	if f == nil {
		return
	}
	f.cancel()
	for _, b := range f.shared {
		b.cancel()
	}
	f.shared = nil
}

// wakeful sets whether the session is to be woken when something has happened; it is if something has already.
func (f *feed) wakeful(on bool) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awake = on
	if on && f.news.any() {
		f.session.wake()
	}
}

// take empties the feed.
func (f *feed) take() (n news, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, f.news = f.news, news{}
	if n.subscribed {
		f.subscribed = nil
	}
	return n, n.any()
}

func (n *news) any() bool {
	return n.overflowed || n.rights || len(n.changed)+len(n.names)+len(n.entries) > 0
}

// receive takes a commit; it must not block.
func (f *feed) receive(c store.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.news.overflowed {
		return
	}
	var top *store.Event // the last mailbox that was renamed not just because it lies below another one
	told := false
	for i := range c.Events {
		e := &c.Events[i]
		if e.Kind == store.EventMailboxRenamed {
			if top != nil && strings.HasPrefix(e.OldName, top.OldName+string(delimiter)) {
				continue // RFC 5465, 5.4: nothing more is sent for children
			}
			top = e
		}
		told = f.note(e) || told
	}
	if len(f.news.changed)+len(f.news.names)+len(f.news.entries) > maxNews {
		f.news = news{overflowed: true}
	}
	if told && f.awake {
		f.session.wake()
	}
}

// note takes down an event and tells whether it concerns the client. What its own session does is no news (RFC 5465, 5).
func (f *feed) note(e *store.Event) bool {
	mine := e.Origin == f.session
	if e.Kind == store.EventSubscribed || e.Kind == store.EventUnsubscribed {
		f.news.subscribed = true
	}
	if e.Account != f.session.account.ID && e.Mailbox != 0 && e.Kind > store.EventExpunged && e.Kind != store.EventMetadata {
		return f.foreign && f.noteForeign(e.Mailbox, mine)
	}
	if mine {
		return false
	}
	switch e.Kind {
	case store.EventAdded:
		return f.noteChange(e.Mailbox, syntax.EventMessageNew)
	case store.EventExpunged:
		return f.noteChange(e.Mailbox, syntax.EventMessageExpunge)
	case store.EventFlags:
		return f.noteChange(e.Mailbox, syntax.EventFlagChange)
	case store.EventMailboxCreated, store.EventMailboxDeleted, store.EventMailboxRenamed:
		return f.noteName(syntax.EventMailboxName, nameEvent{name: e.Name, old: e.OldName})
	case store.EventSubscribed, store.EventUnsubscribed:
		return f.noteName(syntax.EventSubscriptionChange, nameEvent{name: e.Name, subscription: true})
	case store.EventMetadata:
		return f.noteEntries(e)
	}
	return false
}

func (f *feed) noteChange(id store.MailboxID, event syntax.NotifyEvents) bool {
	if !f.wanted.Has(event) {
		return false
	}
	if f.news.changed == nil {
		f.news.changed = make(map[store.MailboxID]syntax.NotifyEvents)
	}
	f.news.changed[id] |= event
	return true
}

func (f *feed) noteName(event syntax.NotifyEvents, e nameEvent) bool {
	if !f.wanted.Has(event) {
		return false
	}
	f.news.names = append(f.news.names, e)
	return true
}

// noteForeign is for a mailbox of another account: what has become of it is found out later.
func (f *feed) noteForeign(id store.MailboxID, mine bool) bool {
	f.news.rights = true
	if mine {
		if f.news.mine == nil {
			f.news.mine = make(map[store.MailboxID]struct{})
		}
		f.news.mine[id] = struct{}{}
	}
	return true
}

// noteEntries leaves out the private annotations that others have on a shared mailbox.
func (f *feed) noteEntries(e *store.Event) bool {
	event := syntax.EventMailboxMetadataChange
	if e.Mailbox == 0 {
		event = syntax.EventServerMetadataChange
	}
	if !f.wanted.Has(event) {
		return false
	}
	told := false
	for _, key := range e.Keys {
		if strings.HasPrefix(key, "/private/") && e.Account != f.session.account.ID {
			continue
		}
		if f.news.entries == nil {
			f.news.entries = make(map[entry]struct{})
		}
		f.news.entries[entry{e.Mailbox, key}] = struct{}{}
		told = true
	}
	return told
}

// subscriptions are the names that the account subscribes to.
func (f *feed) subscriptions() (map[string]bool, error) {
	if f.subscribed == nil {
		names, err := f.session.server.store.Subscriptions(f.session.ctx, f.session.account.ID)
		if err != nil {
			return nil, err
		}
		f.subscribed = make(map[string]bool, len(names))
		for _, name := range names {
			f.subscribed[name] = true
		}
	}
	return f.subscribed, nil
}
