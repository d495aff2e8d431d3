package store

import (
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// maxRuns is how many runs may grow at once: their statements pass by each other's messages.
const maxRuns = 4

// run is messages that change from the same flags to the same others with the same modseq. No message between the first
// and the last that has those flags stays as it is, so that one statement changes them all.
type run struct {
	from, to    FlagSet
	modseq      uint64 // 0: not given yet
	first, last imap.UID
	messages    int64
}

// runs gathers messages in ascending order of their UIDs.
type runs struct {
	growing []run // of different flags
	grown   []run
}

// change adds a message.
func (r *runs) change(uid imap.UID, from, to FlagSet, modseq uint64) {
	if i := r.of(from); i >= 0 {
		if g := &r.growing[i]; g.to == to && g.modseq == modseq {
			g.last = uid
			g.messages++
			return
		}
		r.end(i)
	}
	if len(r.growing) == maxRuns {
		r.end(0)
	}
	r.growing = append(r.growing, run{from: from, to: to, modseq: modseq, first: uid, last: uid, messages: 1})
}

// keep passes by a message that keeps its flags.
func (r *runs) keep(flags FlagSet) {
	if i := r.of(flags); i >= 0 {
		r.end(i)
	}
}

// endAll is for where messages follow that nobody has looked at.
func (r *runs) endAll() {
	r.grown = append(r.grown, r.growing...)
	r.growing = r.growing[:0]
}

func (r *runs) of(from FlagSet) int {
	return slices.IndexFunc(r.growing, func(g run) bool { return g.from == from })
}

func (r *runs) end(i int) {
	r.grown = append(r.grown, r.growing[i])
	r.growing = slices.Delete(r.growing, i, i+1)
}

// reflag sets the flags of a run. Of runs that reach over the same messages those with the highest modseq come first: what
// they have changed is not changed again. The mailbox's figures are the caller's business.
func (t *tx) reflag(m *mailboxState, r *run) error {
	n, err := t.db.Exec("UPDATE messages SET modseq = ?, flags = ?, keywords = ? WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags = ? AND keywords = ? AND modseq < ?",
		r.modseq, r.to.Bits, r.to.Keywords, int64(m.id), uint32(r.first), uint32(r.last), r.from.Bits, r.from.Keywords, r.modseq)
	if err == nil && n != r.messages {
		err = fmt.Errorf("%d changed; expected %d", n, r.messages)
	}
	if err != nil {
		return fmt.Errorf("cannot set the flags of messages %d to %d in mailbox %d: %w", r.first, r.last, m.id, err)
	}
	return nil
}
