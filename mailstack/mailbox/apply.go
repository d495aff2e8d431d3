package mailbox

import (
	"math"
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
			m.changed(entries[len(entries)-1].ModSeq, e.UID, entries[len(entries)-1].UID)
			m.remember(entries[i:])
			return
		}
	}
}

func (m *Mailbox) reflag(entries []store.Entry) {
	at, found := 0, false
	first, last := -1, 0 // of those that changed and follow each other
	for i := range entries {
		e := &entries[i]
		if at, found = searchFrom(m.entries, at, e.UID); !found || m.entries[at].ModSeq >= e.ModSeq {
			continue
		}
		m.entries[at].Flags, m.entries[at].ModSeq = e.Flags, e.ModSeq
		m.grownSince = max(m.grownSince, e.ModSeq)
		if first >= 0 && at != last+1 {
			m.changed(m.entries[last].ModSeq, m.entries[first].UID, m.entries[last].UID)
			first = -1
		}
		if first < 0 {
			first = at
		}
		last = at
	}
	if first >= 0 {
		m.changed(m.entries[last].ModSeq, m.entries[first].UID, m.entries[last].UID)
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
			m.state.HighestModSeq = max(m.state.HighestModSeq, e.ModSeq)
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

// changed notes a change of messages, of a range of UIDs, for those who ask what is new. No two of them have different modseqs
// but when they came.
func (m *Mailbox) changed(modseq uint64, first, last imap.UID) {
	m.state.HighestModSeq = max(m.state.HighestModSeq, modseq)
	if len(m.history) == maxHistory {
		n := maxHistory / 4
		m.since = m.history[n-1].modseq
		m.history = slices.Delete(m.history, 0, n)
	}
	m.history = append(m.history, change{modseq, imap.UIDRange{Start: first, Stop: last}})
}

// changedSince returns the places in the index of the messages whose last change is later than a modseq, ascending.
func (m *Mailbox) changedSince(modseq uint64) []int {
	if modseq >= m.state.HighestModSeq {
		return nil
	}
	var where []imap.UIDRange
	if modseq < m.since {
		where = append(where, imap.UIDRange{Start: 1, Stop: math.MaxUint32})
	}
	for i := len(m.history) - 1; i >= 0 && m.history[i].modseq > modseq && modseq >= m.since; i-- {
		where = append(where, m.history[i].uids)
	}
	var places []int
	at := 0
	for _, r := range merged(where) {
		for at, _ = searchFrom(m.entries, at, r.Start); at < len(m.entries) && m.entries[at].UID <= r.Stop; at++ {
			if m.entries[at].ModSeq > modseq {
				places = append(places, at)
			}
		}
	}
	return places
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
