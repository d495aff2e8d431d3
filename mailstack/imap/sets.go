package imap

import (
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"
)

// indexes returns, ascending and without repeats, the entries a set names among the announced ones. Numbers that name
// nothing are left out; "*" is the last message (RFC 9051, 9: seq-number). saved stands for "$" (RFC 5182).
func (v *view) indexes(set imap.NumSet, saved imap.UIDSet) []int {
	if imap.IsSearchRes(set) {
		set = saved
	}
	var found []int
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			found = v.appendSeqRange(found, r.Start, r.Stop)
		}
	case imap.UIDSet:
		for _, r := range set {
			found = v.appendUIDRange(found, r.Start, r.Stop)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (v *view) appendSeqRange(found []int, start, stop uint32) []int {
	last := uint32(v.announced)
	first, final := ordered(start, stop, last)
	if first == 0 {
		return found // "*" of an empty mailbox
	}
	for n := first; n <= min(final, last); n++ {
		found = append(found, int(n-1))
	}
	return found
}

func (v *view) appendUIDRange(found []int, start, stop imap.UID) []int {
	if v.announced == 0 {
		return found
	}
	last := v.entries[v.announced-1].uid
	first, final := ordered(start, stop, last)
	i := sort.Search(v.announced, func(i int) bool { return v.entries[i].uid >= first })
	for ; i < v.announced && v.entries[i].uid <= final; i++ {
		found = append(found, i)
	}
	return found
}

// ordered replaces "*" (0) with the last number and puts the ends of a range in order: "4:2" means "2:4".
func ordered[N ~uint32](start, stop, last N) (N, N) {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop), max(start, stop)
}

// contains tells whether a set holds a number, with "*" resolved to last.
func contains[N ~uint32](number, start, stop, last N) bool {
	first, final := ordered(start, stop, last)
	return first != 0 && number >= first && number <= final
}
