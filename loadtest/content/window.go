package content

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// window is a command that returns FETCH responses, from before it is sent until it is answered. A server may at any time send updates
// that are older than what it has confirmed elsewhere meanwhile, so that a single response proves nothing; but one of the responses
// to a command must be as new as what was confirmed before the command was sent. That is judged when the window closes.
type window struct {
	began    uint32 // clock
	set      []span
	bySeq    bool
	verdicts map[uint32]verdict // by UID
	// A response without flags, or without a modseq, shows that these were not asked for: then only old updates may have come.
	noFlags, noModSeq bool
}

// verdict is what the responses for one UID have shown so far; the zero verdict is: nothing wrong.
type verdict struct {
	flags       evidence
	missing     string // what is wrong with them
	modseq      evidence
	floor, fell uint64 // what it was, and is
}

type evidence uint8

const (
	none evidence = iota
	bad           // older than it may be, so far
	good          // one response was right
)

// Bounds of what a session says of its commands.
const (
	maxWindows  = 8
	maxVerdicts = 4096
)

// Fetching is called before a FETCH is sent, with its set of UIDs or of sequence numbers, and done after its tagged OK: not if it
// failed, for then nothing had to come. Lost flags and falling modseqs are found only between the two.
func (m *Mirror) Fetching(set string, uid bool) (done func()) {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	w := m.open(b.tick())
	w.bySeq = !uid
	w.set = parseSet(set, uid, m.exists)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		m.close(w)
	}
}

// open begins a window. Those of commands that failed are never closed: beyond the bound the oldest is dropped.
func (m *Mirror) open(began uint32) *window {
	w := &window{began: began}
	if len(m.windows) >= maxWindows {
		m.windows = slices.Delete(m.windows, 0, 1)
	}
	m.windows = append(m.windows, w)
	return w
}

// close ends a window and judges, unless it was dropped.
func (m *Mirror) close(w *window) {
	i := slices.Index(m.windows, w)
	if i < 0 || !m.alive() {
		return
	}
	m.windows = slices.Delete(m.windows, i, i+1)
	for uid, v := range w.verdicts {
		known := m.box.find(uid)
		if known == nil || known.ending {
			continue
		}
		switch {
		case v.flags == bad && !w.noFlags && known.store.settled(w.began):
			known.store = nil
			m.report(Flag, uid, v.missing)
		case v.modseq == bad && !w.noModSeq:
			m.report(ModSeq, uid, fmt.Sprintf("MODSEQ was %d and is %d", v.floor, v.fell))
		}
	}
}

// observe weighs a response; known is what was told of the UID before it. It says whether flags are missing.
func (w *window) observe(b *mailbox, known *message, seq uint32, flags flagSet, modseq uint64) (flagsBad bool) {
	n := known.uid
	if w.bySeq {
		n = seq
	}
	if !contains(w.set, n) {
		return false
	}
	w.noFlags, w.noModSeq = w.noFlags || flags == 0, w.noModSeq || modseq == 0
	v, noted := w.verdicts[known.uid]
	if known.store.settled(w.began) && flags&knownFlags != 0 && flags&overflowFlag == 0 && v.flags != good {
		lost, revived := known.store.set&^flags, known.store.cleared&flags
		if lost|revived == 0 {
			v.flags = good
		} else {
			v.flags, flagsBad = bad, true
			v.missing = fmt.Sprintf("flags are %s; without %s, which was stored, or with %s, which was removed",
				b.names(flags), b.names(lost), b.names(revived))
		}
	}
	switch {
	case modseq == 0:
	case modseq < known.modseq && known.told < w.began && v.modseq != good:
		v.modseq, v.floor, v.fell = bad, known.modseq, modseq
	case v.modseq == bad && modseq >= v.floor:
		v.modseq = good
	}
	if (noted || v != verdict{}) && (noted || len(w.verdicts) < maxVerdicts) {
		if w.verdicts == nil {
			w.verdicts = map[uint32]verdict{}
		}
		w.verdicts[known.uid] = v
	}
	return flagsBad
}

// parseSet reads a set of numbers (RFC 9051, 9: sequence-set). What is not certain to be in it is left out: "*" alone of UIDs, "$".
func parseSet(text string, uid bool, exists uint32) []span {
	var set []span
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, ":")
		if !isRange {
			to = from
		}
		first, ok := parseNumber(from, uid, exists)
		last, ok2 := parseNumber(to, uid, exists)
		if ok && ok2 && (isRange || !uid || from != "*") {
			set = append(set, span{min(first, last), max(first, last)})
		}
	}
	return set
}

func parseNumber(text string, uid bool, exists uint32) (uint32, bool) {
	if text == "*" {
		if uid {
			return math.MaxUint32, true
		}
		return exists, true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n > 0
}
