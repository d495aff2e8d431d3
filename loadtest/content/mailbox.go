package content

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of a mailbox's memory. Together with Options.MaxTracked they keep a run's memory flat.
const (
	maxMessages = 512 // states of one mailbox; the lowest UIDs are forgotten
	maxExpunged = 128 // UIDs known to be gone; the oldest are forgotten
	maxKeywords = 25
)

// mailbox is what all the sessions of one mailbox have told. Its lock also guards the views of these sessions.
type mailbox struct {
	run           *Run
	account, name string
	shared        bool // its messages count

	mu         sync.Mutex
	generation uint32 // counts changes of UIDVALIDITY: views of an earlier one are dead
	validity   uint32
	next       uint32 // UIDNEXT at least
	highest    uint64 // HIGHESTMODSEQ at least
	// clock counts commands begun and confirmed: of two events, the one with the lower clock certainly came first.
	clock    uint32
	messages []message // by UID
	expunged []gone    // ring
	expunges int       // ever
	keywords []string
}

// gone is a UID that some session was told is expunged.
type gone struct{ uid, clock uint32 }

// message is what is known of one UID: 56 octets. Checksums are CRC-32C and never 0, which is: not known.
type message struct {
	uid      uint32
	told     uint32 // clock when modseq was last told
	modseq   uint64 // the highest
	flags    flagSet
	reported kindSet // so that one fault is one violation
	ours     bool    // made by this run on this worker; to be used if token is known
	// This run deletes it: the server may know of its end long before any session is told, and until then answer nothing about it.
	ending bool

	token, envelope, body, size, date uint32

	store *store
}

// kindSet is a set of kinds of violations.
type kindSet uint16

var kindBits = map[string]kindSet{Lost: 1, Doubled: 2, Flipped: 4, Flag: 8, UID: 16, UIDValidity: 32, Exists: 64, ModSeq: 128,
	Envelope: 256, Checkpoint: 512, Foreign: 1024}

// without is what the token field says of a message that has none.
const without = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprint is never 0 or without.
func fingerprint[T string | []byte](data T) uint32 {
	return max(crc32.Checksum([]byte(data), castagnoli), 2)
}

// find returns the state of a UID, or nil.
func (b *mailbox) find(uid uint32) *message {
	if i, found := b.search(uid); found {
		return &b.messages[i]
	}
	return nil
}

func (b *mailbox) search(uid uint32) (int, bool) {
	return slices.BinarySearchFunc(b.messages, uid, func(m message, uid uint32) int { return int(int64(m.uid) - int64(uid)) })
}

// message returns the state of a UID, made if there is room; nil if there is none. It is valid until the next call.
func (b *mailbox) message(uid uint32) *message {
	i, found := b.search(uid)
	if found {
		return &b.messages[i]
	}
	if len(b.messages) >= maxMessages || b.run.messages.Load() >= 8*int64(b.run.options.MaxTracked) {
		b.run.reports.untracked.Add(1)
		if i == 0 {
			return nil
		}
		copy(b.messages, b.messages[1:i])
		i--
		b.messages[i] = message{uid: uid}
		return &b.messages[i]
	}
	b.count(1)
	b.messages = slices.Insert(b.messages, i, message{uid: uid})
	return &b.messages[i]
}

// delete notes that this run is about to remove a message.
func (b *mailbox) delete(uid uint32) {
	if known := b.message(uid); known != nil {
		known.ending = true
	}
	b.run.ledger.deleted(b.account, b.place(uid))
}

func (b *mailbox) count(n int) {
	if b.shared {
		b.run.messages.Add(int64(n))
	}
}

// expunge notes that a UID is gone for good.
func (b *mailbox) expunge(uid uint32) {
	if i, found := b.search(uid); found {
		b.messages = slices.Delete(b.messages, i, i+1)
		b.count(-1)
	}
	if len(b.expunged) < maxExpunged {
		b.expunged = append(b.expunged, gone{uid, b.clock})
	} else {
		b.expunged[b.expunges%maxExpunged] = gone{uid, b.clock}
	}
	b.expunges++
}

// goneBefore says whether a UID was known to be gone before a moment.
func (b *mailbox) goneBefore(uid, clock uint32) bool {
	return slices.ContainsFunc(b.expunged, func(g gone) bool { return g.uid == uid && g.clock < clock })
}

// tick begins a new moment.
func (b *mailbox) tick() uint32 {
	b.clock++
	return b.clock
}

// least is what is known now, for a SELECT that is yet to be sent.
func (b *mailbox) least() least { return least{b.tick(), b.next, b.highest} }

// valid compares a UIDVALIDITY with the one that is known; 0 is not told. After a change all else is forgotten.
func (b *mailbox) valid(validity uint32, transcript func() []string) {
	if validity == 0 || validity == b.validity {
		return
	}
	if b.validity != 0 {
		b.report(Violation{Kind: UIDValidity, Detail: fmt.Sprintf("UIDVALIDITY was %d and is %d", b.validity, validity)}, transcript)
		b.count(-len(b.messages))
		b.messages, b.expunged, b.expunges, b.next, b.highest = nil, nil, 0, 0, 0
		b.generation++
	}
	b.validity = validity
}

// report hands a violation to the run, once for a UID and a kind. What is said of a UID that stands for two messages is not worth
// more than that, so that it is not reported.
func (b *mailbox) report(v Violation, transcript func() []string) {
	if m := b.find(v.UID); m != nil {
		if m.reported&(kindBits[v.Kind]|kindBits[UID]) != 0 {
			return
		}
		m.reported |= kindBits[v.Kind]
	}
	v.Account, v.Mailbox, v.At = b.account, b.name, time.Now()
	b.run.reports.add(v, transcript)
}

// place is where a UID is now.
func (b *mailbox) place(uid uint32) place { return place{b.name, b.generation, uid} }

// sighted checks a token that was found at a UID and returns what it says; not ok if it is to be left out of the ledger.
func (b *mailbox) sighted(validity, uid uint32, token string, transcript func() []string) (id identity, here place, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.valid(validity, transcript)
	id, err := parseToken(token)
	if err != nil {
		b.report(Violation{Kind: Flipped, UID: uid, Detail: err.Error()}, transcript)
		return id, here, false
	}
	return id, b.place(uid), b.identify(b.message(uid), uid, token, &id, transcript)
}

// identify notes whose token a UID has; false is a violation. The message may be nil.
func (b *mailbox) identify(m *message, uid uint32, token string, id *identity, transcript func() []string) bool {
	if m != nil {
		print := fingerprint(token)
		if m.token != 0 && m.token != print {
			b.report(Violation{Kind: UID, UID: uid, Detail: fmt.Sprintf("UID %d was another message and is now %s", uid, token)}, transcript)
			return false
		}
		m.token, m.ours = print, b.run.own(id)
	}
	if !id.addressed(b.account) {
		b.report(Violation{Kind: Foreign, UID: uid, Detail: token + " is not addressed to this account"}, transcript)
		return false
	}
	return true
}

// flagSet has a bit for each flag: 5 system flags, keywords as they come, and what is below.
type flagSet uint32

const (
	seenFlag flagSet = 1 << iota
	answeredFlag
	flaggedFlag
	deletedFlag
	draftFlag
	overflowFlag flagSet = 1 << 30 // there are keywords beyond the bound
	knownFlags   flagSet = 1 << 31 // the flags were told
	keywordBits          = 5
)

var systemFlags = []string{`\seen`, `\answered`, `\flagged`, `\deleted`, `\draft`}

// flagSet translates flags. \Recent is a session's own and left out (RFC 3501, 2.3.2).
func (b *mailbox) flagSet(flags []string) flagSet {
	var set flagSet
	for _, flag := range flags {
		flag = strings.ToLower(flag)
		if flag == `\recent` {
			continue
		}
		if i := slices.Index(systemFlags, flag); i >= 0 {
			set |= 1 << i
			continue
		}
		i := slices.Index(b.keywords, flag)
		if i < 0 && len(b.keywords) < maxKeywords {
			i = len(b.keywords)
			b.keywords = append(b.keywords, flag)
		}
		if i < 0 {
			set |= overflowFlag
		} else {
			set |= 1 << (keywordBits + i)
		}
	}
	return set
}

// names is the inverse of flagSet, for people.
func (b *mailbox) names(set flagSet) string {
	var names []string
	for i, name := range slices.Concat(systemFlags, b.keywords) {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return "(" + strings.Join(names, " ") + ")"
}

// differ says whether two sets are certainly not the same.
func differ(a, b flagSet) bool { return a&b&knownFlags != 0 && (a|b)&overflowFlag == 0 && a != b }
