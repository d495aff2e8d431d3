package imap

import (
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/store"
)

// updates is the part of imapserver.UpdateWriter that a view writes to.
type updates interface {
	WriteExpunge(seqNum uint32) error
	WriteNumMessages(n uint32) error
	WriteMailboxFlags(flags []imap.Flag) error
	WriteMessageFlags(seqNum uint32, uid imap.UID, flags []imap.Flag) error
}

// entry is one message as a session knows it: 32 bytes, because a session holds one for each message of its mailbox.
type entry struct {
	modSeq uint64
	date   int64 // seconds
	uid    imap.UID
	size   uint32
	flags  uint32 // index into view.flagSets
	dirty  bool   // flags differ from what the client was last told
	gone   bool   // expunged, the client does not know yet
}

// view is the mailbox as one client sees it. A message's sequence number is its index plus one; entries from
// announced on are committed but not yet announced, and have no sequence number.
type view struct {
	entries   []entry
	announced int
	gone      int // entries with gone set
	dirty     int // entries with dirty set

	flagSets  [][]imap.Flag
	flagIndex map[string]uint32
	keywords  map[string]imap.Flag // by lower case
	newFlags  bool                 // a keyword appeared since the last FLAGS response
}

func newView(messages []store.Message) *view {
	v := &view{flagIndex: make(map[string]uint32), keywords: make(map[string]imap.Flag)}
	v.entries = make([]entry, 0, len(messages))
	for _, m := range messages {
		v.add(m)
	}
	v.announced = len(v.entries)
	v.newFlags = false
	return v
}

func (v *view) add(m store.Message) {
	v.entries = append(v.entries, entry{
		modSeq: m.ModSeq, date: m.InternalDate.Unix(), uid: m.UID, size: uint32(m.Size),
		flags: v.intern(m.Flags),
	})
}

// internalDate is in UTC: the store keeps no zone.
func (e *entry) internalDate() time.Time { return time.Unix(e.date, 0).UTC() }

// intern returns the index of a set of flags; equal sets are held once.
func (v *view) intern(flags []imap.Flag) uint32 {
	sorted := slices.Clone(flags)
	slices.Sort(sorted)
	var key strings.Builder
	for _, f := range sorted {
		key.WriteString(string(f))
		key.WriteByte(' ')
	}
	if i, ok := v.flagIndex[key.String()]; ok {
		return i
	}
	for _, f := range sorted {
		if lower := strings.ToLower(string(f)); !strings.HasPrefix(lower, `\`) && v.keywords[lower] == "" {
			v.keywords[lower] = f
			v.newFlags = true
		}
	}
	i := uint32(len(v.flagSets))
	v.flagSets = append(v.flagSets, sorted)
	v.flagIndex[key.String()] = i
	return i
}

func (v *view) flagsOf(e *entry) []imap.Flag { return v.flagSets[e.flags] }

func (v *view) hasFlag(e *entry, flag imap.Flag) bool {
	return slices.ContainsFunc(v.flagSets[e.flags], func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
}

// find returns the index of a UID.
func (v *view) find(uid imap.UID) (int, bool) {
	return slices.BinarySearchFunc(v.entries, uid, func(e entry, uid imap.UID) int { return int(int64(e.uid) - int64(uid)) })
}

// apply takes committed changes in. Events may repeat what the session knows already (its own changes, or what it
// read after the watch began): UIDs only grow and a message's modseq only grows, which tells old from new.
func (v *view) apply(events []store.Event) {
	for _, event := range events {
		for _, m := range event.Messages {
			switch event.Kind {
			case store.EventAdded:
				if n := len(v.entries); n == 0 || v.entries[n-1].uid < m.UID {
					v.add(m)
				}
			case store.EventFlags:
				v.setFlags(m, true)
			case store.EventExpunged:
				v.expunge(m.UID)
			}
		}
	}
}

// setFlags records flags; tell says whether the client has to hear of them.
func (v *view) setFlags(m store.Message, tell bool) {
	i, ok := v.find(m.UID)
	if !ok || m.ModSeq <= v.entries[i].modSeq {
		return
	}
	e := &v.entries[i]
	e.modSeq = m.ModSeq
	flags := v.intern(m.Flags)
	if flags == e.flags {
		return
	}
	e.flags = flags
	if tell {
		v.markDirty(i)
	}
}

func (v *view) markDirty(i int) {
	if e := &v.entries[i]; i < v.announced && !e.dirty {
		e.dirty = true
		v.dirty++
	}
}

func (v *view) clean(i int) {
	if e := &v.entries[i]; e.dirty {
		e.dirty = false
		v.dirty--
	}
}

func (v *view) expunge(uid imap.UID) {
	i, ok := v.find(uid)
	switch {
	case !ok || v.entries[i].gone:
	case i >= v.announced:
		v.entries = slices.Delete(v.entries, i, i+1)
	default:
		v.entries[i].gone = true
		v.gone++
	}
}

// reread takes the whole mailbox in again after events were lost.
func (v *view) reread(messages []store.Message) {
	present := make(map[imap.UID]struct{}, len(messages))
	for _, m := range messages {
		present[m.UID] = struct{}{}
		if n := len(v.entries); n == 0 || v.entries[n-1].uid < m.UID {
			v.add(m)
		} else {
			v.setFlags(m, true)
		}
	}
	var missing []imap.UID
	for i := range v.entries {
		if _, ok := present[v.entries[i].uid]; !ok {
			missing = append(missing, v.entries[i].uid)
		}
	}
	for _, uid := range missing {
		v.expunge(uid)
	}
}

// announce writes what the client does not know yet. Expunges change sequence numbers, so they are only written where
// RFC 9051, 7.5.1 allows them; until then the message keeps its number.
func (v *view) announce(w updates, allowExpunge bool) error {
	if allowExpunge {
		if err := v.announceExpunged(w.WriteExpunge); err != nil {
			return err
		}
	}
	if v.newFlags {
		v.newFlags = false
		if err := w.WriteMailboxFlags(v.flagNames()); err != nil {
			return err
		}
	}
	if len(v.entries) > v.announced {
		v.announced = len(v.entries)
		if err := w.WriteNumMessages(uint32(v.announced)); err != nil {
			return err
		}
	}
	if v.dirty == 0 {
		return nil
	}
	for i := range v.entries[:v.announced] {
		if e := &v.entries[i]; e.dirty {
			v.clean(i)
			if e.gone {
				continue
			}
			if err := w.WriteMessageFlags(uint32(i+1), e.uid, v.flagsOf(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// announceExpunged writes and forgets expunged messages, from the last to the first so that numbers stay true.
func (v *view) announceExpunged(write func(seqNum uint32) error) error {
	if v.gone == 0 {
		return nil
	}
	var failed error
	for i := v.announced - 1; i >= 0; i-- {
		if v.entries[i].gone && failed == nil {
			failed = write(uint32(i + 1))
		}
	}
	before := len(v.entries)
	v.entries = slices.DeleteFunc(v.entries, func(e entry) bool {
		if e.gone && e.dirty {
			v.dirty--
		}
		return e.gone
	})
	v.announced -= before - len(v.entries)
	v.gone = 0
	return failed
}

var systemFlags = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}

// flagNames lists the flags of the mailbox: the system's and the keywords in use.
func (v *view) flagNames() []imap.Flag {
	names := make([]imap.Flag, 0, len(v.keywords))
	for _, f := range v.keywords {
		names = append(names, f)
	}
	slices.Sort(names)
	return append(slices.Clone(systemFlags), names...)
}
