package store

import (
	"sync"
	"sync/atomic"
)

// watchBuffer is how many commits a slow reader may lag behind before it must read the mailbox again.
const watchBuffer = 16

// Watch receives what happens to one mailbox.
type Watch struct {
	hub        *hub
	mailbox    MailboxID
	events     chan []Event
	overflowed atomic.Bool
}

// Events yields the events of one commit at a time, in the order of commits. It is closed by Close, when
// the mailbox is removed and when the store is closed. Events and what they hold must not be changed:
// all watchers of the mailbox share them.
func (w *Watch) Events() <-chan []Event { return w.events }

// Overflowed tells whether events were dropped since it was last asked because the reader was too slow.
// The reader must then read the mailbox again. Events that are dropped leave older ones in the channel,
// so that a reader always wakes up and can ask.
func (w *Watch) Overflowed() bool { return w.overflowed.Swap(false) }

// Close ends the watch. It may be called more than once.
func (w *Watch) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.remove(w)
}

// hub hands events to watches.
type hub struct {
	mu      sync.Mutex
	watches map[MailboxID]map[*Watch]struct{}
	closed  bool
}

// Watch starts watching a mailbox: every commit after the call is seen. Read the mailbox after calling
// it; events about what was already read then tell nothing new and are recognised by their modseq.
func (s *Store) Watch(id MailboxID) *Watch {
	h := &s.hub
	w := &Watch{hub: h, mailbox: id, events: make(chan []Event, watchBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(w.events)
		return w
	}
	if h.watches[id] == nil {
		h.watches[id] = make(map[*Watch]struct{})
	}
	h.watches[id][w] = struct{}{}
	return w
}

func (h *hub) remove(w *Watch) {
	set := h.watches[w.mailbox]
	if _, ok := set[w]; !ok {
		return
	}
	delete(set, w)
	if len(set) == 0 {
		delete(h.watches, w.mailbox)
	}
	close(w.events)
}

// broadcast sends the events of one commit and ends the watches of removed mailboxes. It never blocks.
func (h *hub) broadcast(events []Event, removed []MailboxID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watches) == 0 {
		return
	}
	var sorted map[MailboxID][]Event
	for _, e := range events {
		if e.Kind > EventExpunged || h.watches[e.Mailbox] == nil {
			continue
		}
		e = e.public()
		for i := range e.Entries {
			e.Messages = append(e.Messages, e.Entries[i].Message())
		}
		if sorted == nil {
			sorted = make(map[MailboxID][]Event)
		}
		sorted[e.Mailbox] = append(sorted[e.Mailbox], e)
	}
	for id, list := range sorted {
		for w := range h.watches[id] {
			select {
			case w.events <- list:
			default:
				w.overflowed.Store(true)
			}
		}
	}
	for _, id := range removed {
		for w := range h.watches[id] {
			h.remove(w)
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, set := range h.watches {
		for w := range set {
			h.remove(w)
		}
	}
}
