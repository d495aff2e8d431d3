package wire

import (
	"cmp"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// NumSet takes a set of sequence numbers or, with uid, of UIDs; "$" gives imap.SearchRes (RFC 5182).
func (r *Reader) NumSet(uid bool) (imap.NumSet, error) {
	switch {
	case r.Accept('$'):
		return imap.SearchRes(), nil
	case uid:
		return r.UIDSet()
	}
	return r.SeqSet()
}

// SeqSet takes a set of sequence numbers (RFC 9051, section 9, sequence-set). It is sorted and merged; 0 stands for "*".
func (r *Reader) SeqSet() (imap.SeqSet, error) {
	var space [8]imap.SeqRange
	ranges, err := r.ranges(space[:0])
	return slices.Clone(ranges), err
}

// UIDSet takes a set of UIDs. It is sorted and merged; 0 stands for "*".
func (r *Reader) UIDSet() (imap.UIDSet, error) {
	var space [8]imap.SeqRange
	ranges, err := r.ranges(space[:0])
	if err != nil {
		return nil, err
	}
	set := make(imap.UIDSet, len(ranges))
	for i, x := range ranges {
		set[i] = imap.UIDRange{Start: imap.UID(x.Start), Stop: imap.UID(x.Stop)}
	}
	return set, nil
}

// ranges takes a set, in the order that imap.SeqSet asks for.
func (r *Reader) ranges(set []imap.SeqRange) ([]imap.SeqRange, error) {
	for {
		if err := r.Item(); err != nil {
			return nil, err
		}
		start, err := r.setNumber()
		if err != nil {
			return nil, err
		}
		stop := start
		if r.Accept(':') {
			if stop, err = r.setNumber(); err != nil {
				return nil, err
			}
		}
		if start == 0 || stop < start && stop != 0 { // "4:2" is "2:4", "*:4" is "4:*"
			start, stop = stop, start
		}
		set = append(set, imap.SeqRange{Start: start, Stop: stop})
		if !r.Accept(',') {
			return merge(set), nil
		}
	}
}

// setNumber takes a number that is not zero, or "*", which is 0.
func (r *Reader) setNumber() (uint32, error) {
	if r.Accept('*') {
		return 0, nil
	}
	n, err := r.NZNumber()
	if err != nil {
		return 0, Bad("set of numbers is malformed")
	}
	return n, nil
}

// merge sorts ranges and unites those that overlap or touch. "*" alone comes last.
func merge(set []imap.SeqRange) []imap.SeqRange {
	ordered := func(a, b imap.SeqRange) int { return cmp.Compare(a.Start-1, b.Start-1) } // "*" is the largest
	if !slices.IsSortedFunc(set, ordered) {
		slices.SortFunc(set, ordered)
	}
	merged := set[:1]
	for _, x := range set[1:] {
		last := &merged[len(merged)-1]
		switch {
		case last.Stop == 0: // n:* holds all that follows, * another *
		case x.Start == 0 || x.Start-1 > last.Stop:
			merged = append(merged, x)
		case x.Stop == 0 || x.Stop > last.Stop:
			last.Stop = x.Stop
		}
	}
	return merged
}
