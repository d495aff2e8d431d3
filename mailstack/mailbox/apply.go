package mailbox

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// applyAll takes committed changes into the index. Some may be in it already, because it was read after them: a
// message's modification sequence only grows, which tells old from new.
func (m *Mailbox) applyAll(events []store.Event) {
	for _, e := range events {
		switch e.Kind {
		case store.EventAdded:
			m.add(e.Entries)
		case store.EventFlags:
			m.reflag(e.Entries)
		case store.EventExpunged:
			m.expunge(e.Entries)
		}
	}
}

func (m *Mailbox) add(entries []store.Entry) {
	for i, e := range entries {
		if e.UID >= m.state.UIDNext {
			m.entries = append(m.entries, entries[i:]...)
			m.registry.weigh(len(entries) - i)
			m.state.Messages += uint32(len(entries) - i)
			m.state.UIDNext = entries[len(entries)-1].UID + 1
			for _, e := range entries[i:] {
				m.changed(e.ModSeq, e.UID)
			}
			m.remember(entries[i:])
			return
		}
	}
}

func (m *Mailbox) reflag(entries []store.Entry) {
	for _, e := range entries {
		if i, found := m.find(e.UID); found && m.entries[i].ModSeq < e.ModSeq {
			m.entries[i].Flags, m.entries[i].ModSeq = e.Flags, e.ModSeq
			m.grownSince = max(m.grownSince, e.ModSeq)
			m.changed(e.ModSeq, e.UID)
		}
	}
	m.remember(entries)
}

// expunge removes entries, in one pass if there are many.
func (m *Mailbox) expunge(gone []store.Entry) {
	var places []int
	var tombs []tomb
	for _, e := range gone {
		if i, found := m.find(e.UID); found {
			places = append(places, i)
			entry := m.entries[i]
			tombs = append(tombs, tomb{e.UID, e.ModSeq, &entry})
			m.grownSince = max(m.grownSince, e.ModSeq)
			m.changed(e.ModSeq, e.UID)
		}
	}
	if len(places) == 0 {
		return
	}
	slices.Sort(places)
	kept := places[0]
	for n, i := range places {
		next := len(m.entries)
		if n+1 < len(places) {
			next = places[n+1]
		}
		kept += copy(m.entries[kept:], m.entries[i+1:next])
	}
	clear(m.entries[kept:])
	m.entries = m.entries[:kept]
	m.registry.weigh(-len(places))
	m.state.Messages -= uint32(len(places))
	m.bury(tombs)
}

// bury keeps the expunged until all clients have been told.
func (m *Mailbox) bury(tombs []tomb) {
	if len(m.views) == 0 {
		return
	}
	m.tombs = append(m.tombs, tombs...)
	slices.SortFunc(m.tombs, func(a, b tomb) int { return compare(a.uid, b.uid) })
}

// unbury forgets the expunged that all clients have been told of.
func (m *Mailbox) unbury() {
	if len(m.tombs) == 0 {
		return
	}
	earliest := m.state.HighestModSeq
	for v := range m.views {
		earliest = min(earliest, v.toldGone)
	}
	m.tombs = slices.DeleteFunc(m.tombs, func(t tomb) bool { return t.gone <= earliest })
}

// changed notes a change for those who ask what is new.
func (m *Mailbox) changed(modseq uint64, uid imap.UID) {
	m.state.HighestModSeq = max(m.state.HighestModSeq, modseq)
	if len(m.history) == maxHistory {
		n := maxHistory / 4
		m.since = m.history[n-1].modseq
		m.history = slices.Delete(m.history, 0, n)
	}
	m.history = append(m.history, change{modseq, uid})
}

// changedSince returns the UIDs whose last change is later than a modseq, ascending and without repeats, among them
// some that are gone.
func (m *Mailbox) changedSince(modseq uint64) []imap.UID {
	if modseq >= m.state.HighestModSeq {
		return nil
	}
	var uids []imap.UID
	if modseq < m.since {
		for i := range m.entries {
			if m.entries[i].ModSeq > modseq {
				uids = append(uids, m.entries[i].UID)
			}
		}
		return uids
	}
	for i := len(m.history) - 1; i >= 0 && m.history[i].modseq > modseq; i-- {
		uids = append(uids, m.history[i].uid)
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// remember notes keywords that were not seen before.
func (m *Mailbox) remember(entries []store.Entry) {
	last := ""
	for i := range entries {
		words := entries[i].Flags.Keywords
		if words == last {
			continue
		}
		last = words
		for word := range strings.FieldsSeq(words) {
			known := slices.ContainsFunc(m.keywords, func(f imap.Flag) bool { return strings.EqualFold(string(f), word) })
			if !known && len(m.keywords) < maxKeywords {
				m.keywords = append(m.keywords, imap.Flag(word))
			}
		}
	}
}
