package response

import (
	"strconv"
	"strings"
)

// Range is one range of a set, both ends included.
type Range struct{ Low, High uint64 }

// Set is a set of sequence numbers or UIDs without "*".
type Set []Range

// ParseSet reads a sequence-set that a server may send: numbers only, RFC 9051 section 9 (uid-set, sequence-set).
func ParseSet(text string) (Set, bool) {
	var set Set
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, ":")
		if !isRange {
			high = low
		}
		a, ok1 := parseNz(low)
		b, ok2 := parseNz(high)
		if !ok1 || !ok2 {
			return nil, false
		}
		set = append(set, Range{min(a, b), max(a, b)})
	}
	return set, true
}

func parseNz(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return n, err == nil && n > 0 && text[0] != '0' && text[0] != '+'
}

// Each calls f for every number, in the order written, at most limit times; it reports false when there were more.
func (s Set) Each(limit int, f func(uint64)) bool {
	for _, r := range s {
		for n := r.Low; n <= r.High; n++ {
			if limit--; limit < 0 {
				return false
			}
			f(n)
		}
	}
	return true
}

// Numbers returns the distinct numbers of the set; at most 100,000 are looked at.
func (s Set) Numbers() map[uint64]bool {
	all := map[uint64]bool{}
	s.Each(100_000, func(n uint64) { all[n] = true })
	return all
}

// Ascending tells whether the ranges ascend without overlap.
func (s Set) Ascending() bool {
	for i := 1; i < len(s); i++ {
		if s[i].Low <= s[i-1].High {
			return false
		}
	}
	return true
}

// set parses a sequence-set in a response.
func (p *parser) set() Node {
	start := p.pos
	text := p.while("a set", func(c byte) bool { return c >= '0' && c <= '9' || c == ':' || c == ',' })
	if _, ok := ParseSet(text); !ok {
		p.pos = start
		p.fail("a set of numbers that are not zero")
	}
	return Node{Text: text}
}
