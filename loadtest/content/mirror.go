package content

import (
	"cmp"
	"fmt"
	"slices"

	"gouv.tg/messagerie/loadtest/protocol/imap"
)

var _ imap.Observer = (*Mirror)(nil)

// Mirror is one IMAP session's view of one selected mailbox: 16 octets for each message whose UID it was told, at most 64 KiB. It is an
// [imap.Observer] and checks data as they come. Make a new one before each SELECT: what was known by then, the server must know too.
type Mirror struct {
	box        *mailbox
	transcript func() []string

	generation uint32
	selected   bool
	upcoming   least // for the next SELECT
	current    least // for the last

	exists uint32
	next   uint32 // UIDNEXT as of SELECT, or beyond the highest UID since
	// Messages from the sequence number arrivals on were announced when the UIDs below floor had been given away.
	arrivals, floor uint32

	known   []entry // by sequence number, and by UID
	windows []*window
}

// least is what was known in a mailbox at some moment before a SELECT was sent: what it shows cannot be older.
type least struct {
	clock   uint32
	next    uint32 // UIDNEXT
	highest uint64 // HIGHESTMODSEQ
}

// entry is what a session was last told of a message.
type entry struct {
	seq, uid uint32
	flags    flagSet
	modseq   uint32 // the low half; 0: not told with the flags
}

// maxKnown bounds Mirror.known.
const maxKnown = 4096

// Mirror returns the view of a session that is about to select a mailbox. Account is the address that mail is sent to; transcript gives
// the session's last lines for a violation's report and may be nil. It is called by whoever calls the mirror.
func (r *Run) Mirror(account, mailbox string, transcript func() []string) *Mirror {
	m := &Mirror{box: r.mailbox(account, mailbox, true), transcript: transcript}
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	m.generation = m.box.generation
	m.upcoming = m.box.least()
	return m
}

// alive says whether a mailbox is selected, and its UIDs are still the same.
func (m *Mirror) alive() bool { return m.selected && m.generation == m.box.generation }

func (m *Mirror) report(kind string, uid uint32, detail string) {
	m.box.report(Violation{Kind: kind, UID: uid, Detail: detail}, m.transcript)
}

// Selected takes the answer to SELECT (RFC 9051, 6.3.2; RFC 7162, 3.1.2).
func (m *Mirror) Selected(s imap.Selected) {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	b.valid(s.UIDValidity, m.transcript)
	switch {
	case m.generation != b.generation:
		m.generation = b.generation
	case s.UIDNext != 0 && s.UIDNext < m.upcoming.next:
		m.report(UID, 0, fmt.Sprintf("UIDNEXT is %d; UID %d is given away already", s.UIDNext, m.upcoming.next-1))
	case s.UIDNext != 0 && s.Exists >= s.UIDNext:
		m.report(UID, 0, fmt.Sprintf("UIDNEXT is %d with %d messages", s.UIDNext, s.Exists))
	case s.HighestModSeq != 0 && s.HighestModSeq < m.upcoming.highest:
		m.report(ModSeq, 0, fmt.Sprintf("HIGHESTMODSEQ is %d; %d was told already", s.HighestModSeq, m.upcoming.highest))
	}
	b.next, b.highest = max(b.next, s.UIDNext), max(b.highest, s.HighestModSeq)
	// From the next SELECT on, all that is known now counts.
	m.current, m.upcoming = m.upcoming, b.least()
	m.exists, m.next = s.Exists, s.UIDNext
	m.arrivals, m.floor = s.Exists+1, s.UIDNext
	m.known, m.windows = nil, nil
	m.selected = true
}

// Exists takes the number of messages (RFC 9051, 7.4.1): it falls by EXPUNGE and VANISHED only.
func (m *Mirror) Exists(n uint32) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if !m.alive() || n == m.exists {
		return
	}
	if n < m.exists {
		m.report(Exists, 0, fmt.Sprintf("EXISTS fell from %d to %d without EXPUNGE", m.exists, n))
		m.lose(n)
	} else if m.next > m.floor || m.arrivals > m.exists+1 {
		m.arrivals, m.floor = m.exists+1, m.next
	}
	m.exists = n
}

// lose forgets which message is where, after one went away unannounced.
func (m *Mirror) lose(exists uint32) { m.known, m.arrivals = nil, exists+1 }

// Expunge takes an EXPUNGE (RFC 9051, 7.5.1).
func (m *Mirror) Expunge(seq uint32) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if !m.alive() {
		return
	}
	if seq == 0 || seq > m.exists {
		m.report(Exists, 0, fmt.Sprintf("EXPUNGE of message %d; there are %d", seq, m.exists))
		return
	}
	i, found := m.search(seq)
	if found {
		m.box.expunge(m.known[i].uid)
		m.known = slices.Delete(m.known, i, i+1)
	}
	m.shift(i, 1)
	if m.arrivals > seq {
		m.arrivals--
	}
	m.exists--
}

// shift moves the entries from i on down by n.
func (m *Mirror) shift(i int, n uint32) {
	for ; i < len(m.known); i++ {
		m.known[i].seq -= n
	}
}

// Vanished takes UIDs that are gone (RFC 7162, 3.2.10): earlier ones, told by SELECT, count in EXISTS already.
func (m *Mirror) Vanished(uids []imap.UIDRange, earlier bool) {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if !m.alive() {
		return
	}
	for _, r := range uids {
		i, _ := m.searchUID(r.First)
		last, found := m.searchUID(r.Last)
		if found {
			last++
		}
		for _, e := range m.known[i:last] {
			m.box.expunge(e.uid)
		}
		m.known = slices.Delete(m.known, i, last)
		if earlier {
			continue
		}
		n := uint64(r.Last) - uint64(r.First) + 1
		if n > uint64(m.exists) {
			m.report(Exists, 0, fmt.Sprintf("VANISHED %d:%d; there are %d messages", r.First, r.Last, m.exists))
			m.lose(0)
			m.exists = 0
			return
		}
		m.shift(i, uint32(n))
		m.exists -= uint32(n)
	}
}

// Flags takes the flags of the mailbox, of which nothing follows.
func (m *Mirror) Flags(flags []string) {}

func (m *Mirror) search(seq uint32) (int, bool) {
	return slices.BinarySearchFunc(m.known, seq, func(e entry, seq uint32) int { return cmp.Compare(e.seq, seq) })
}

func (m *Mirror) searchUID(uid uint32) (int, bool) {
	return slices.BinarySearchFunc(m.known, uid, func(e entry, uid uint32) int { return cmp.Compare(e.uid, uid) })
}
