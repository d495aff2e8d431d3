package mailbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// View is a mailbox as one client knows it. It belongs to one goroutine at a time.
//
// The client has been told of the messages below uidNext, of what became of them up to the change told, and of those
// that are gone up to the change toldGone, which may be earlier because not every response may say so
// (RFC 9051, 5.5 and 7.5.1).
type View struct {
	box  *Mailbox
	wake func()

	// Of those that mu of the mailbox guards:
	told     uint64
	toldGone uint64
	uidNext  imap.UID
	exists   uint32

	rights   uint64          // changes of rights that RightsChanged has told
	keywords int             // of the mailbox's, told
	claims   bool            // recent messages are this view's alone
	recent   []imap.UIDRange // which are, ascending
	missed   bool            // the last Each passed over messages that are gone
	asOf     uint64          // see AsOf
	known    []known         // changes after told that the client knows: it made them
}

// Message is a message with its number in a view.
type Message struct {
	store.Entry
	Seq  uint32
	Gone bool // expunged; the client has not been told
}

// Status is a mailbox as a view shows it.
type Status struct {
	UIDValidity   uint32
	UIDNext       imap.UID
	HighestModSeq uint64
	Exists        uint32
	Recent        uint32
	Keywords      []imap.Flag // in use; not to be changed
}

func (v *View) open(ctx context.Context) error {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.describe(ctx); err != nil {
		return err
	}
	if err := m.refresh(ctx, m.state.Messages <= m.registry.eager); err != nil {
		return err
	}
	v.told, v.toldGone = m.state.HighestModSeq, m.state.HighestModSeq
	v.uidNext, v.exists = m.state.UIDNext, m.state.Messages
	v.keywords = len(m.keywords)
	v.rights = m.inbox.changesOfRights()
	if v.claims {
		v.claim()
	} else if m.recent < v.uidNext {
		v.recent = []imap.UIDRange{{Start: m.recent, Stop: v.uidNext - 1}}
	}
	m.views[v] = struct{}{}
	return nil
}

// Close ends the view.
func (v *View) Close() {
	m := v.box
	m.inbox.watch(v, WatchNothing)
	m.mu.Lock()
	delete(m.views, v)
	m.unbury()
	recent, noted := m.recent, m.state.Recent
	m.state.Recent = recent
	m.mu.Unlock()
	if v.claims && recent > noted {
		m.registry.noteRecent(m.id, recent)
	}
	m.registry.release(m)
}

// Watch says what wakes a session.
type Watch uint8

// What may wake a session.
const (
	WatchNothing Watch = iota
	WatchRights        // changes of the rights on the mailbox (RFC 4314)
	WatchAll           // those, and whatever happens to the mailbox and its messages
)

// Watch sets when wake is called.
func (v *View) Watch(on Watch) { v.box.inbox.watch(v, on) }

// RightsChanged tells whether somebody's rights on the mailbox have changed since the view was opened, or since it was
// last asked.
func (v *View) RightsChanged() bool {
	n := v.box.inbox.changesOfRights()
	changed := n != v.rights
	v.rights = n
	return changed
}

// Mailbox is the mailbox's identity.
func (v *View) Mailbox() store.MailboxID { return v.box.id }

// Exists is the number of messages in the view.
func (v *View) Exists() uint32 { return v.exists }

// NextUID is above the UIDs of all messages in the view.
func (v *View) NextUID() imap.UID { return v.uidNext }

// Status describes the view.
func (v *View) Status() Status {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	return Status{
		UIDValidity: m.state.UIDValidity, UIDNext: v.uidNext, HighestModSeq: v.told, Exists: v.exists, Recent: v.Recent(),
		Keywords: m.keywords[:v.keywords:v.keywords],
	}
}

// sees tells whether an expunged message is in the view.
func (v *View) sees(t tomb) bool { return t.gone > v.toldGone && t.uid < v.uidNext }

// Known says that the client knows of a change that it made itself: it is not told again.
func (v *View) Known(uid imap.UID, modseq uint64) {
	i := len(v.known)
	if i > 0 && v.known[i-1].uid >= uid {
		found := false
		if i, found = v.findKnown(uid); found {
			v.known[i].modseq = modseq
			return
		}
	}
	v.known = slices.Insert(v.known, i, known{uid, modseq})
}

// known is a change of a message that its client knows.
type known struct {
	uid    imap.UID
	modseq uint64
}

func (v *View) findKnown(uid imap.UID) (int, bool) {
	return slices.BinarySearchFunc(v.known, uid, func(k known, uid imap.UID) int { return compare(k.uid, uid) })
}

func (v *View) knows(uid imap.UID, modseq uint64) bool {
	i, found := v.findKnown(uid)
	return found && v.known[i].modseq == modseq
}

// Told tells whether the client knows a message as it is.
func (v *View) Told(m Message) bool { return m.ModSeq <= v.told || v.knows(m.UID, m.ModSeq) }

// layout is a view's messages at one moment: what is in the index and below uidNext, and the expunged that it still has.
type layout struct {
	live  []store.Entry
	tombs []tomb
}

// layout is called with the mailbox's mu held and its index loaded.
func (v *View) layout() (layout, error) {
	m := v.box
	live := m.entries
	if v.uidNext < m.state.UIDNext {
		n, _ := m.find(v.uidNext)
		live = live[:n]
	}
	var tombs []tomb
	for _, t := range m.tombs {
		if v.sees(t) {
			tombs = append(tombs, t)
		}
	}
	if len(live)+len(tombs) != int(v.exists) {
		return layout{}, fmt.Errorf("%w: %d messages are left of %d", ErrLost, len(live)+len(tombs), v.exists)
	}
	return layout{live, tombs}, nil
}

// message returns a message of the index.
func (l layout) message(i int) Message {
	j, _ := findTomb(l.tombs, l.live[i].UID)
	return Message{Entry: l.live[i], Seq: uint32(i + j + 1)}
}

// seq returns the sequence number that a message has, or would have.
func (l layout) seq(uid imap.UID) (seq uint32, found bool) {
	i, live := search(l.live, uid)
	j, dead := findTomb(l.tombs, uid)
	return uint32(i + j + 1), live || dead
}

// uid returns the UID of a sequence number from 1 to the number of messages.
func (l layout) uid(seq uint32) imap.UID {
	n := int(seq) - 1 // so many messages lie before it
	// The number of expunged ones before it lies between none and all of them.
	low, high := max(0, n-len(l.live)), min(len(l.tombs), n)
	for low < high {
		// Is the expunged message number mid before it?
		mid := (low + high) / 2
		if i, _ := search(l.live, l.tombs[mid].uid); i+mid < n {
			low = mid + 1
		} else {
			high = mid
		}
	}
	i := n - low
	if low < len(l.tombs) && (i >= len(l.live) || l.tombs[low].uid < l.live[i].UID) {
		return l.tombs[low].uid
	}
	return l.live[i].UID
}

// last returns the highest UID, 0 if there is none.
func (l layout) last() imap.UID {
	var last imap.UID
	if n := len(l.live); n > 0 {
		last = l.live[n-1].UID
	}
	if n := len(l.tombs); n > 0 {
		last = max(last, l.tombs[n-1].uid)
	}
	return last
}
