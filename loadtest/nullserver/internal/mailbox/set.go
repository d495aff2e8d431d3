package mailbox

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
)

// Range is the numbers From to To; Star, in either, is the last message.
type Range struct{ From, To uint32 }

// Star is "*".
const Star = 1<<32 - 1

// Set is a sequence set (RFC 3501, 9): of message numbers or of UIDs.
type Set []Range

var errSet = errors.New("sequence set expected")

// ParseSet reads a set such as "1:3,7,9:*".
func ParseSet(p []byte) (Set, error) {
	var set Set
	for {
		from, rest, err := setNumber(p)
		if err != nil {
			return nil, err
		}
		to := from
		if len(rest) > 0 && rest[0] == ':' {
			if to, rest, err = setNumber(rest[1:]); err != nil {
				return nil, err
			}
		}
		set = append(set, Range{from, to})
		if len(rest) == 0 {
			return set, nil
		}
		if rest[0] != ',' {
			return nil, errSet
		}
		p = rest[1:]
	}
}

func setNumber(p []byte) (uint32, []byte, error) {
	if len(p) > 0 && p[0] == '*' {
		return Star, p[1:], nil
	}
	var n uint64
	i := 0
	for ; i < len(p) && p[i] >= '0' && p[i] <= '9'; i++ {
		if n = n*10 + uint64(p[i]-'0'); n >= Star {
			return 0, nil, errSet
		}
	}
	if n == 0 {
		return 0, nil, errSet
	}
	return uint32(n), p[i:], nil
}

// resolve replaces "*" and returns ranges that ascend and do not overlap. "9:*" contains the last message even when it is below 9.
func (s Set) resolve(last uint32) []Range {
	ranges := make([]Range, len(s))
	for i, r := range s {
		if r.From == Star {
			r.From = last
		}
		if r.To == Star {
			r.To = last
		}
		ranges[i] = Range{min(r.From, r.To), max(r.From, r.To)}
	}
	if len(ranges) < 2 {
		return ranges
	}
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	merged := ranges[:1]
	for _, r := range ranges[1:] {
		if end := &merged[len(merged)-1]; r.From <= end.To {
			end.To = max(end.To, r.To)
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}

// AppendUIDs writes UIDs as a set, in their order, runs as ranges.
func AppendUIDs(dst []byte, uids []uint32) []byte {
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendNumber(dst, uids[i])
		if j > i {
			dst = appendNumber(append(dst, ':'), uids[j])
		}
		i = j + 1
	}
	return dst
}

func appendNumber(dst []byte, n uint32) []byte { return strconv.AppendUint(dst, uint64(n), 10) }
