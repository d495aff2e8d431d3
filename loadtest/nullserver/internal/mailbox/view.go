package mailbox

import (
	"sort"
	"strings"
)

// View is what a session knows of its selected mailbox: its numbers stay as they are until Update tells of changes. It is owned by one
// goroutine at a time.
type View struct {
	box      *Mailbox
	list     []*Message
	told     int // messages there are, in the client's eyes
	changes  uint64
	removals uint64
	keywords int
}

// Updates is told of changes, in order, while the mailbox is locked: it must not wait.
type Updates interface {
	Keywords(flags []byte)                                // all flags the mailbox knows, as in "\Seen $Label"
	Expunge(seq uint32)                                   // the message is gone and the ones behind it move up
	Exists(n uint32)                                      // so many messages are there
	Changed(seq, uid uint32, flags []byte, modseq uint64) // flags are valid during the call
}

// Select opens a mailbox.
func (b *Mailbox) Select() (*View, Status) {
	status := b.Status()
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &View{box: b, list: b.messages, told: len(b.messages), changes: b.changes, removals: b.removals, keywords: len(b.keywords)}
	status.Messages, status.UIDNext, status.HighestModSeq = uint32(len(v.list)), b.next, b.modseq
	return v, status
}

// Validity is the mailbox's UIDVALIDITY.
func (b *Mailbox) Validity() uint32 { return b.validity }

// Mailbox is what the view looks at.
func (v *View) Mailbox() *Mailbox { return v.box }

// Len is the number of messages.
func (v *View) Len() int { return len(v.list) }

// FlagNames are all flags the mailbox knows.
func (v *View) FlagNames() []byte {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	return v.box.allFlags()
}

func (b *Mailbox) allFlags() []byte { return flagNames(nil, ^Flags(0), b.keywords) }

// Idle makes wake be called, under the mailbox's lock, on every change from now on, until it is called with nil.
func (v *View) Idle(wake func()) {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	if wake == nil {
		delete(v.box.idle, v)
		return
	}
	if v.box.idle == nil {
		v.box.idle = map[*View]func(){}
	}
	v.box.idle[v] = wake
}

// Update tells of what changed since the last one. Without expunges, messages that went stay in the view, and new ones do not come
// (RFC 3501, 7.4.1: no EXPUNGE while a command that uses sequence numbers runs).
func (v *View) Update(expunges bool, to Updates) {
	b := v.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.keywords != len(b.keywords) {
		v.keywords = len(b.keywords)
		to.Keywords(b.allFlags())
	}
	known := len(v.list)
	switch {
	case v.removals == b.removals:
		v.list = b.messages
	case expunges:
		known = v.expunge(to)
	}
	if v.told != len(v.list) {
		v.told = len(v.list)
		to.Exists(uint32(v.told))
	}
	if v.changes == b.changes {
		return
	}
	var names [128]byte
	for i, m := range v.list[:known] {
		if m.change > v.changes && m.by != v {
			to.Changed(uint32(i+1), m.UID, flagNames(names[:0], m.flags, b.keywords), m.modseq)
		}
	}
	v.changes = b.changes
}

// expunge tells of removals and returns how many messages are left of the ones known before. Both lists have the same order, with
// duplicate UIDs too: messages are compared by identity.
func (v *View) expunge(to Updates) (left int) {
	for _, m := range v.list {
		switch {
		case left < len(v.box.messages) && v.box.messages[left] == m:
			left++
		case !m.silently:
			v.told--
			to.Expunge(uint32(left + 1))
		}
	}
	v.list, v.removals = v.box.messages, v.box.removals
	return left
}

// Each calls visit for the messages of a set, in order, each once, until it returns false. Numbers that do not exist are passed over.
func (v *View) Each(set Set, uid bool, visit func(seq uint32, m *Message) bool) {
	if len(v.list) == 0 {
		return
	}
	last := uint32(len(v.list))
	if uid {
		last = v.list[len(v.list)-1].UID
	}
	for _, r := range set.resolve(last) {
		i := int(min(r.From, uint32(len(v.list))+1)) - 1
		if uid {
			i = sort.Search(len(v.list), func(i int) bool { return v.list[i].UID >= r.From })
		}
		for ; i < len(v.list); i++ {
			n := uint32(i + 1)
			if uid {
				n = v.list[i].UID
			}
			if n > r.To {
				break
			}
			if !visit(uint32(i+1), v.list[i]) {
				return
			}
		}
	}
}

// State is a message's flags, by their names appended to dst, and its modseq.
func (v *View) State(dst []byte, m *Message) (names []byte, modseq uint64) {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	return flagNames(dst, m.flags, v.box.keywords), m.modseq
}

// Flags are a message's flags and its modseq.
func (v *View) Flags(m *Message) (Flags, uint64) {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	return m.flags, m.modseq
}

// Flag is the flag of a name, 0 when the mailbox has no such keyword.
func (v *View) Flag(name string) Flags {
	v.box.mu.Lock()
	defer v.box.mu.Unlock()
	for i, k := range v.box.keywords {
		if strings.EqualFold(k, name) {
			return firstKeyword << i
		}
	}
	return 0
}

// Matcher returns a function that says whether a message is in a set of numbers or UIDs.
func (v *View) Matcher(set Set, uid bool) func(seq uint32, m *Message) bool {
	last := uint32(len(v.list))
	if uid && last > 0 {
		last = v.list[last-1].UID
	}
	ranges := set.resolve(last)
	return func(seq uint32, m *Message) bool {
		n := seq
		if uid {
			n = m.UID
		}
		i := sort.Search(len(ranges), func(i int) bool { return ranges[i].To >= n })
		return i < len(ranges) && ranges[i].From <= n
	}
}
