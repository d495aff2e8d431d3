package mailbox

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Flags is a set of flags: the system flags below, then the keywords of the mailbox in the order of their first use.
type Flags uint64

// System flags (RFC 3501, 2.3.2).
const (
	Answered Flags = 1 << iota
	Flagged
	Deleted
	Seen
	Draft
	firstKeyword
)

var systemFlags = []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}

const maxKeywords = 59 // of a mailbox: the bits that are left

// Message is in one mailbox; its copies elsewhere share its content.
type Message struct {
	*Content
	UID  uint32
	Date int64 // INTERNALDATE, seconds since 1970

	// Under the mailbox's lock:
	flags          Flags
	modseq         uint64
	change         uint64 // the mailbox's count of changes at the last one of this message's flags
	by             *View  // which knows of that change already
	gone, silently bool
}

// Mailbox is safe for concurrent use. It never calls out while it holds its lock, but for wake functions, which must not wait.
type Mailbox struct {
	store    *Store
	validity uint32

	mu       sync.Mutex
	messages []*Message // by UID; views share its array, so that it is never written below its length
	next     uint32     // UIDNEXT
	modseq   uint64     // HIGHESTMODSEQ
	changes  uint64     // of flags
	removals uint64     // of messages
	keywords []string
	idle     map[*View]func()
}

// Status is a mailbox in numbers (RFC 3501, 6.3.10; RFC 7162, 3.1.7).
type Status struct {
	Messages, Unseen, UIDNext, UIDValidity uint32
	HighestModSeq                          uint64
	Size                                   int64
}

// Status counts.
func (b *Mailbox) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Messages: uint32(len(b.messages)), UIDNext: b.next, UIDValidity: b.validity, HighestModSeq: b.modseq}
	for _, m := range b.messages {
		if m.flags&Seen == 0 {
			s.Unseen++
		}
		s.Size += m.size
	}
	return s
}

// Append adds a message and wakes the sessions in IDLE. ErrFull: there is no room, or there are too many keywords.
func (b *Mailbox) Append(c *Content, flags []string, at time.Time) (uid uint32, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	set, err := b.flagsOf(flags)
	if err != nil {
		return 0, err
	}
	return b.append(c, set, at.Unix())
}

func (b *Mailbox) append(c *Content, flags Flags, date int64) (uint32, error) {
	bytes := b.store.bytes.Add(weight(c))
	if b.store.Keep && (bytes > maxBytes || len(b.messages) >= MaxMessages) || b.next == 1<<32-1 {
		b.store.bytes.Add(-weight(c))
		return 0, ErrFull
	}
	uid := b.next
	if b.next > 1 && b.store.Faults.UIDReused.Due() {
		uid--
	} else {
		b.next++
	}
	b.modseq++
	b.messages = append(b.messages, &Message{Content: c, UID: uid, Date: date, flags: flags, modseq: b.modseq})
	if !b.store.Keep {
		for len(b.messages) > LastMessages || len(b.messages) > 1 && b.store.bytes.Load() > maxHeaders {
			oldest := b.messages[0]
			oldest.gone = true
			b.messages = b.messages[1:]
			b.store.bytes.Add(-weight(oldest.Content))
			b.removals++
		}
	}
	b.wake()
	return uid, nil
}

func weight(c *Content) int64 { return int64(len(c.raw)) + overhead }

// remove takes away the messages that are chosen. The rest goes into an array of its own: views still look at the old one.
func (b *Mailbox) remove(chosen func(*Message) bool) {
	if !slices.ContainsFunc(b.messages, chosen) {
		return
	}
	b.modseq++
	left := make([]*Message, 0, len(b.messages))
	for _, m := range b.messages {
		if !chosen(m) {
			left = append(left, m)
			continue
		}
		m.gone = true
		m.silently = b.store.Faults.ExpungeSilently.Due()
		b.store.bytes.Add(-weight(m.Content))
	}
	b.messages = left
	b.removals++
	b.wake()
}

// discard empties a mailbox that was deleted; sessions that selected it see an empty one.
func (b *Mailbox) discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		m.gone = true
		b.store.bytes.Add(-weight(m.Content))
	}
	b.messages = nil
	b.removals++
	b.wake()
}

func (b *Mailbox) wake() {
	for _, wake := range b.idle {
		wake()
	}
}

// flagsOf makes a set of names; new keywords join the mailbox's.
func (b *Mailbox) flagsOf(names []string) (Flags, error) {
	var set Flags
	for _, name := range names {
		if i := slices.IndexFunc(systemFlags, func(f string) bool { return strings.EqualFold(f, name) }); i >= 0 {
			set |= 1 << i
			continue
		}
		if strings.HasPrefix(name, `\`) {
			continue // \Recent and whatever else the client cannot set
		}
		i := slices.IndexFunc(b.keywords, func(k string) bool { return strings.EqualFold(k, name) })
		if i < 0 {
			if len(b.keywords) == maxKeywords {
				return 0, ErrFull
			}
			i = len(b.keywords)
			b.keywords = append(b.keywords, name)
		}
		set |= firstKeyword << i
	}
	return set, nil
}

// flagNames appends the names of a set to dst, as in "\Seen $Label".
func flagNames(dst []byte, set Flags, keywords []string) []byte {
	start := len(dst)
	add := func(name string) {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = append(dst, name...)
	}
	for i, name := range systemFlags {
		if set&(1<<i) != 0 {
			add(name)
		}
	}
	for i, name := range keywords {
		if set&(firstKeyword<<i) != 0 {
			add(name)
		}
	}
	return dst
}
