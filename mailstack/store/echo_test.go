package store

import (
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// echo rebuilds an account from its events alone.
type echo struct {
	t      *testing.T
	mu     sync.Mutex
	modseq uint64 // of the last event
	names  map[MailboxID]string
	boxes  map[MailboxID]map[imap.UID]Entry
	subs   map[string]bool
}

func newEcho(t *testing.T, s *Store, a *modelAccount) *echo {
	e := &echo{t: t, names: make(map[MailboxID]string), boxes: make(map[MailboxID]map[imap.UID]Entry), subs: make(map[string]bool)}
	for _, b := range a.names {
		e.names[b.id], e.boxes[b.id] = b.name, make(map[imap.UID]Entry)
	}
	for name := range a.subs {
		e.subs[name] = true
	}
	t.Cleanup(s.Subscribe(a.id, e.hear))
	return e
}

func (e *echo) hear(c Commit) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range c.Events {
		box := e.boxes[ev.Mailbox]
		if ev.Mailbox != 0 && ev.Kind != EventMailboxCreated && (box == nil || ev.Kind <= EventExpunged && e.names[ev.Mailbox] != ev.Name) {
			e.t.Errorf("event %+v of a mailbox that is called %q", ev, e.names[ev.Mailbox])
			continue
		}
		switch ev.Kind {
		case EventMailboxCreated:
			if box != nil {
				e.t.Errorf("mailbox %d was created twice", ev.Mailbox)
			}
			e.names[ev.Mailbox], e.boxes[ev.Mailbox] = ev.Name, make(map[imap.UID]Entry)
		case EventMailboxRenamed:
			if e.names[ev.Mailbox] != ev.OldName {
				e.t.Errorf("%q was renamed, but is called %q", ev.OldName, e.names[ev.Mailbox])
			}
			e.names[ev.Mailbox] = ev.Name
		case EventMailboxDeleted:
			delete(e.names, ev.Mailbox)
			delete(e.boxes, ev.Mailbox)
		case EventSubscribed:
			e.subs[ev.Name] = true
		case EventUnsubscribed:
			delete(e.subs, ev.Name)
		default:
			e.messages(ev, box)
		}
	}
}

// messages takes in an event of messages. A modseq is of one change: all of one event that are not new share one.
func (e *echo) messages(ev Event, box map[imap.UID]Entry) {
	for i, m := range ev.Entries {
		if m.ModSeq < e.modseq || m.ModSeq == e.modseq && (i == 0 || ev.Kind == EventAdded) {
			e.t.Errorf("modseq %d after %d", m.ModSeq, e.modseq)
		}
		e.modseq = m.ModSeq
		old, known := box[m.UID]
		if known == (ev.Kind == EventAdded) {
			e.t.Errorf("uid %d: event %d, known %v", m.UID, ev.Kind, known)
		}
		if ev.Kind == EventExpunged {
			old.ModSeq = m.ModSeq
			if delete(box, m.UID); m != old {
				e.t.Errorf("expunged %+v, but was %+v", m, old)
			}
			continue
		}
		box[m.UID] = m
	}
}

// compare compares what was heard with what is there.
func (e *echo) compare(m *model, a *modelAccount) {
	settle(m.t, m.s)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.names) != len(a.names) || len(e.subs) != len(a.subs) {
		m.t.Errorf("events say %v and %v, expected %d mailboxes and %v", e.names, e.subs, len(a.names), a.subs)
	}
	for id, name := range e.names {
		_, entries, err := m.s.Index(m.t.Context(), id)
		if err != nil || a.names[name] == nil || a.names[name].id != id || len(entries) != len(e.boxes[id]) {
			m.t.Errorf("events say that %q is mailbox %d with %d messages; it has %d, %v", name, id, len(e.boxes[id]), len(entries), err)
		}
		for _, entry := range entries {
			if e.boxes[id][entry.UID] != entry {
				m.t.Errorf("events say %+v, the mailbox %+v", e.boxes[id][entry.UID], entry)
			}
		}
	}
}
