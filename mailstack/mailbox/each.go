package mailbox

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// eachChunk is how many messages are copied while the index is locked.
const eachChunk = 256

// Each calls f with the messages of a set that are in the view and not gone, in ascending order, each once: imap.SeqSet,
// imap.UIDSet, or nil for all. "*" is the last message; what does not exist is passed over. It ends at f's first error and
// returns that. Nothing is locked while f runs; f sees each message as it is at some moment during the call.
func (v *View) Each(ctx context.Context, set imap.NumSet, f func(Message) error) error {
	return v.EachAlsoGone(ctx, set, func(m Message) error {
		if m.Gone {
			v.missed = true
			return nil
		}
		return f(m)
	})
}

// EachAlsoGone is Each with the messages of the view that are gone, as they were last, as far as that is known.
func (v *View) EachAlsoGone(ctx context.Context, set imap.NumSet, f func(Message) error) error {
	v.missed = false
	ranges, err := v.ranges(ctx, set)
	if err != nil {
		return err
	}
	chunk := make([]Message, 0, min(eachChunk, v.exists))
	for _, r := range ranges {
		for from := r.Start; ; {
			var more bool
			if chunk, more, err = v.chunk(ctx, from, r.Stop, chunk[:0]); err != nil {
				return err
			}
			for _, msg := range chunk {
				if err := f(msg); err != nil {
					return err
				}
			}
			if !more {
				break
			}
			from = chunk[len(chunk)-1].UID + 1
		}
	}
	return nil
}

// Missed tells whether the last Each passed over messages of the view that are gone (RFC 2180, 4), or EachAlsoGone over some
// that it could not show.
func (v *View) Missed() bool { return v.missed }

// AsOf returns the modseq that the mailbox had when the last Each began: each message was shown as it was then, or later.
func (v *View) AsOf() uint64 { return v.asOf }

// chunk copies messages with UIDs from first to last; more says that there are others.
func (v *View) chunk(ctx context.Context, first, last imap.UID, into []Message) (chunk []Message, more bool, err error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, true); err != nil {
		return nil, false, err
	}
	l, err := v.layout()
	if err != nil {
		return nil, false, err
	}
	i, _ := search(l.live, first)
	j, _ := findTomb(l.tombs, first)
	for {
		live := i < len(l.live) && l.live[i].UID <= last
		dead := j < len(l.tombs) && l.tombs[j].uid <= last
		switch {
		case !live && !dead:
			return into, false, nil
		case len(into) == eachChunk:
			return into, true, nil
		case live && !(dead && l.tombs[j].uid < l.live[i].UID):
			into = append(into, Message{Entry: l.live[i], Seq: uint32(i + j + 1)})
			i++
		default:
			if t := l.tombs[j]; t.entry != nil {
				into = append(into, Message{Entry: *t.entry, Seq: uint32(i + j + 1), Gone: true})
			} else {
				v.missed = true
			}
			j++
		}
	}
}

// ranges makes a set one of UIDs, ascending and without overlaps.
func (v *View) ranges(ctx context.Context, set imap.NumSet) ([]imap.UIDRange, error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, true); err != nil {
		return nil, err
	}
	v.asOf = m.state.HighestModSeq
	l, err := v.layout()
	if err != nil || v.exists == 0 {
		return nil, err
	}
	var ranges []imap.UIDRange
	switch set := set.(type) {
	case nil:
		ranges = append(ranges, imap.UIDRange{Start: 1, Stop: l.last()})
	case imap.SeqSet:
		for _, r := range set {
			first, last := ordered(r.Start, r.Stop, v.exists)
			if last = min(last, v.exists); first <= last {
				ranges = append(ranges, imap.UIDRange{Start: l.uid(first), Stop: l.uid(last)})
			}
		}
	case imap.UIDSet:
		highest := l.last()
		for _, r := range set {
			first, last := ordered(r.Start, r.Stop, highest)
			if last = min(last, highest); first <= last {
				ranges = append(ranges, imap.UIDRange{Start: first, Stop: last})
			}
		}
	}
	return merged(ranges), nil
}

// merged sorts ranges and joins those that overlap.
func merged(ranges []imap.UIDRange) []imap.UIDRange {
	slices.SortFunc(ranges, func(a, b imap.UIDRange) int { return compare(a.Start, b.Start) })
	kept := 0
	for _, r := range ranges {
		if kept > 0 && r.Start <= ranges[kept-1].Stop {
			ranges[kept-1].Stop = max(ranges[kept-1].Stop, r.Stop)
			continue
		}
		ranges[kept] = r
		kept++
	}
	return ranges[:kept]
}

// ordered replaces "*" (0) with the last number and puts the ends of a range in order: "4:2" means "2:4"
// (RFC 9051, 9: seq-range).
func ordered[N ~uint32](start, stop, last N) (N, N) {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop), max(start, stop)
}

// ChangedSince returns the messages of the view whose modification sequence is above modseq, ascending (RFC 7162).
func (v *View) ChangedSince(ctx context.Context, modseq uint64) ([]Message, error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded && v.told == v.toldGone { // what the store says of that moment is what the view shows
		list, late, err := m.registry.store.LateChanges(ctx, m.id, modseq, v.told)
		if late || err != nil {
			changed := make([]Message, len(list))
			for i, k := range list {
				changed[i] = Message{Entry: k.Entry, Seq: k.Seq}
			}
			return changed, err
		}
	}
	if err := m.refresh(ctx, true); err != nil {
		return nil, err
	}
	l, err := v.layout()
	if err != nil {
		return nil, err
	}
	var changed []Message
	for _, i := range m.changedSince(modseq) {
		if i >= len(l.live) {
			break
		}
		changed = append(changed, l.message(i))
	}
	return changed, nil
}

// FirstUnseen returns the number of the first message without \Seen, 0 if there is none, or if the index of a large mailbox
// would have to be read for it.
func (v *View) FirstUnseen(ctx context.Context) (uint32, error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded && m.state.Messages > m.registry.eager {
		return 0, nil
	}
	if err := m.refresh(ctx, true); err != nil {
		return 0, err
	}
	l, err := v.layout()
	if err != nil {
		return 0, err
	}
	for i := range l.live {
		if !l.live[i].Flags.Has(imap.FlagSeen) {
			seq, _ := l.seq(l.live[i].UID)
			return seq, nil
		}
	}
	return 0, nil
}

// LastUID returns the UID of the last message, 0 if there is none.
func (v *View) LastUID(ctx context.Context) (imap.UID, error) {
	m := v.box
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx, true); err != nil {
		return 0, err
	}
	l, err := v.layout()
	return l.last(), err
}

// DeletedBytes adds up the sizes of the messages with \Deleted.
func (v *View) DeletedBytes(ctx context.Context) (sum int64, err error) {
	err = v.Each(ctx, nil, func(m Message) error {
		if m.Flags.Has(imap.FlagDeleted) {
			sum += int64(m.Size)
		}
		return nil
	})
	return sum, err
}
