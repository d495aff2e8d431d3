package imap

import (
	"fmt"
	"slices"
	"sync"
)

// record is an Observer that writes down what it is told.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

func (r *record) Selected(s Selected)                    { r.add("selected %+v", s) }
func (r *record) Exists(n uint32)                        { r.add("exists %d", n) }
func (r *record) Expunge(seq uint32)                     { r.add("expunge %d", seq) }
func (r *record) Vanished(uids []UIDRange, earlier bool) { r.add("vanished %v %v", uids, earlier) }
func (r *record) Flags(flags []string)                   { r.add("flags %q", flags) }
func (r *record) Fetch(m *Message)                       { r.add("fetch %d %d %q %d", m.Seq, m.UID, m.Flags, m.ModSeq) }
