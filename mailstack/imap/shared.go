package imap

import (
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/store"
)

// maxShared bounds the mailboxes of others that one client hears of.
const maxShared = 1000

// sharedBox is a mailbox of another account that this one may look up.
type sharedBox struct {
	name   string // the client's
	cancel func()
}

// review brings up to date which mailboxes of other accounts are watched, and returns which came, went and were renamed,
// without those of mine.
func (f *feed) review(mine map[store.MailboxID]struct{}) ([]nameEvent, error) {
	list, err := f.visible()
	if err != nil {
		return nil, err
	}
	before := f.shared
	f.shared = make(map[store.MailboxID]*sharedBox, len(list))
	fresh := false
	for _, m := range list {
		b := &sharedBox{name: foreignPath(m.Owner, m.Mailbox.Name)}
		if old := before[m.ID]; old != nil {
			b.cancel = old.cancel
		} else {
			b.cancel = f.session.server.store.SubscribeMailbox(m.ID, f.receive)
			fresh = true
		}
		f.shared[m.ID] = b
	}
	for id, old := range before {
		if f.shared[id] == nil {
			old.cancel()
		}
	}
	if fresh { // what happened between the list and the subscription
		if list, err = f.visible(); err != nil {
			return nil, err
		}
		for _, m := range list {
			if b := f.shared[m.ID]; b != nil {
				b.name = foreignPath(m.Owner, m.Mailbox.Name)
			}
		}
	}
	return f.differences(before, list, mine), nil
}

// visible are the mailboxes of others that the account may look up, ordered by owner and name.
func (f *feed) visible() ([]store.SharedMailbox, error) {
	list, err := f.session.server.store.SharedMailboxes(f.session.ctx, f.session.account.ID)
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for _, m := range list {
		if m.Rights.Has(store.RightLookup) {
			kept = append(kept, m)
		}
	}
	if len(kept) > maxShared {
		return nil, errNotifyTooMuch
	}
	return kept, nil
}

// differences are the news that a new list of mailboxes brings (RFC 5465, 5.4 and 5.9).
func (f *feed) differences(before map[store.MailboxID]*sharedBox, list []store.SharedMailbox, mine map[store.MailboxID]struct{}) []nameEvent {
	var events []nameEvent
	var top nameEvent
	for id, old := range before {
		if _, own := mine[id]; f.shared[id] == nil && !own {
			events = append(events, nameEvent{name: old.name, lost: true})
		}
	}
	slices.SortFunc(events, func(a, b nameEvent) int { return strings.Compare(a.name, b.name) })
	for _, m := range list {
		b, old := f.shared[m.ID], before[m.ID]
		_, own := mine[m.ID]
		switch {
		case own, b == nil: // b is nil if it came just now, and another event with it
		case old == nil:
			events = append(events, nameEvent{name: b.name})
		case old.name != b.name:
			if top.old != "" && strings.HasPrefix(old.name, top.old+string(delimiter)) {
				continue
			}
			top = nameEvent{name: b.name, old: old.name}
			events = append(events, top)
		}
	}
	return events
}
