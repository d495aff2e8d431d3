package store

import (
	"slices"
	"sync"
)

// subscriber is one function that wants to hear of commits.
type subscriber struct {
	f     func(Commit)
	mu    sync.Mutex // held while f runs
	ended bool
}

func (s *subscriber) call(c Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.f(c)
	}
}

// subscribers are those of accounts and of mailboxes.
type subscribers struct {
	mu        sync.Mutex
	accounts  map[AccountID][]*subscriber
	mailboxes map[MailboxID][]*subscriber
}

// Subscribe calls f with what every later commit changed in an account: its mailboxes and their messages, its
// subscriptions and its annotations; and with EventACL of mailboxes of other accounts when it is named in the change. f
// runs on the writer's goroutine, commit after commit: it must not block, nor call a method of the store that writes.
// After cancel has returned, f is not running and will not be called again. Neither f nor anybody who holds a lock that
// f takes may call cancel.
//
// Subscribe first and read then: events about what was already read tell nothing new and are recognised by their modseq.
func (s *Store) Subscribe(account AccountID, f func(Commit)) (cancel func()) {
	return subscribe(&s.subscribers, s.subscribers.accounts, account, f)
}

// SubscribeMailbox is Subscribe for the events of one mailbox.
func (s *Store) SubscribeMailbox(id MailboxID, f func(Commit)) (cancel func()) {
	return subscribe(&s.subscribers, s.subscribers.mailboxes, id, f)
}

func subscribe[K comparable](s *subscribers, m map[K][]*subscriber, key K, f func(Commit)) (cancel func()) {
	sub := &subscriber{f: f}
	s.mu.Lock()
	m[key] = append(m[key], sub)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		// A commit may be walking along the old list.
		if list := slices.DeleteFunc(slices.Clone(m[key]), func(o *subscriber) bool { return o == sub }); len(list) > 0 {
			m[key] = list
		} else {
			delete(m, key)
		}
		s.mu.Unlock()
		sub.mu.Lock()
		sub.ended = true
		sub.mu.Unlock()
	}
}

// call is a subscriber and what concerns it.
type call struct {
	to     []*subscriber
	events []Event
}

// broadcast calls everybody whom the events of one commit concern.
func (s *subscribers) broadcast(events []Event) {
	for _, c := range s.sort(events) {
		for _, sub := range c.to {
			sub.call(Commit{c.events})
		}
	}
}

// sort gives each list of subscribers the events that concern it.
func (s *subscribers) sort(events []Event) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.accounts)+len(s.mailboxes) == 0 {
		return nil
	}
	var calls []call
	accounts, mailboxes := make(map[AccountID]int), make(map[MailboxID]int)
	for _, e := range events {
		switch {
		case e.all:
			for id := range s.accounts {
				calls = collect(calls, accounts, s.accounts, id, e)
			}
		case e.also != 0 && e.also != e.Account:
			calls = collect(calls, accounts, s.accounts, e.also, e)
			fallthrough
		default:
			calls = collect(calls, accounts, s.accounts, e.Account, e)
		}
		if e.Mailbox != 0 {
			calls = collect(calls, mailboxes, s.mailboxes, e.Mailbox, e)
		}
	}
	return calls
}

func collect[K comparable](calls []call, index map[K]int, subs map[K][]*subscriber, key K, e Event) []call {
	list := subs[key]
	if len(list) == 0 {
		return calls
	}
	i, ok := index[key]
	if !ok {
		i = len(calls)
		index[key] = i
		calls = append(calls, call{to: list})
	}
	calls[i].events = append(calls[i].events, e.public())
	return calls
}
