package deflate

import "math/bits"

// entry is what a code means. Its bits from the lowest: 4 for the length of the code; 4 for the number of extra bits behind it,
// or of the index bits of a second table; 2 for the kind; 16 from bit 16 for the octet, for the base to which the extra bits are
// added, or for where the second table begins.
type entry uint32

const (
	kindMatch   entry = 0 << 8 // length or distance
	kindLiteral entry = 1 << 8
	kindTable   entry = 2 << 8
	kindOther   entry = 3 << 8 // the value is 0 for an unknown code, 1 for the end of the block
	kindMask    entry = 3 << 8

	unknown = kindOther
	endOf   = kindOther | 1<<16
)

func (e entry) kind() entry   { return e & kindMask }
func (e entry) length() uint  { return uint(e & 15) }
func (e entry) extra() uint   { return uint(e >> 4 & 15) }
func (e entry) value() uint   { return uint(e >> 16) }
func (e entry) isEnd() bool   { return e&^15 == endOf }
func (e entry) literal() byte { return byte(e >> 16) }

const (
	maxLength = 15 // bits of a code

	literalBits  = 10 // index bits of the first table, at most
	distanceBits = 8
	lengthBits   = 7

	// A second table of n index bits holds at least n+1 codes, and n is at most 5 or 7: so more entries are never needed.
	literalEntries  = 1<<literalBits + 288/6<<5
	distanceEntries = 1<<distanceBits + 32/8<<7

	maxLiterals  = 286
	maxDistances = 30
	maxLengths   = 19

	endOfBlock = 256
)

// meanings of symbols, without the lengths of their codes (RFC 1951, section 3.2.5).
var literalMeanings, distanceMeanings, lengthMeanings = meanings()

func meanings() (literals [288]entry, distances [32]entry, lengths [maxLengths]entry) {
	for i := range literals {
		switch {
		case i < endOfBlock:
			literals[i] = kindLiteral | entry(i)<<16
		case i == endOfBlock:
			literals[i] = endOf
		default:
			literals[i] = unknown
		}
	}
	for i, base := 0, 3; i < 28; i++ {
		extra := max(0, i/4-1)
		literals[endOfBlock+1+i] = kindMatch | entry(extra)<<4 | entry(base)<<16
		base += 1 << extra
	}
	literals[285] = kindMatch | 258<<16
	for i, base := 0, 1; i < 32; i++ {
		extra := max(0, i/2-1)
		distances[i] = kindMatch | entry(extra)<<4 | entry(base)<<16
		if i >= maxDistances {
			distances[i] = unknown
		}
		base += 1 << extra
	}
	for i := range lengths {
		lengths[i] = kindLiteral | entry(i)<<16
	}
	return literals, distances, lengths
}

// codes is a set of codes, made ready to be looked up by the next bits of the stream: by as many as index has, and where
// that gives a second table, by more.
type codes struct {
	index uint // bits
	mask  uint64
}

// build fills the table with the codes that have these lengths in bits, 0 for none (RFC 1951, section 3.2.2). Codes must use
// every bit pattern, but for one: a single code may have one bit, and there may be none at all.
func (c *codes) build(table []entry, index uint, lengths []uint8, meanings []entry) error {
	var count [maxLength + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	longest := maxLength
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	left := 1
	for n := 1; n <= maxLength; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return errOversized
		}
	}
	switch {
	case longest == 0:
		*c, table[0] = codes{}, unknown
		return nil
	case longest == 1 && count[1] == 1:
		table[1] = unknown | 1
	case left > 0:
		return errIncomplete
	}
	c.index = min(index, uint(longest))
	c.mask = 1<<c.index - 1

	var sorted [288]uint16 // symbols by length of code
	var starts [maxLength + 2]int
	for n := 1; n <= maxLength; n++ {
		starts[n+1] = starts[n] + count[n]
	}
	symbols := sorted[:starts[maxLength+1]]
	for symbol, n := range lengths {
		if n > 0 {
			symbols[starts[n]] = uint16(symbol)
			starts[n]++
		}
	}
	c.place(table, symbols, lengths, meanings, &count)
	return nil
}

// place puts symbols, in the order of their codes, into the tables.
func (c *codes) place(table []entry, symbols []uint16, lengths []uint8, meanings []entry, count *[maxLength + 1]int) {
	used := 1 << c.index
	code, width := uint(0), uint(1)
	second, secondBits := []entry(nil), uint(0)
	from := ^uint(0) // the index under which the second table is
	for _, symbol := range symbols {
		n := uint(lengths[symbol])
		code <<= n - width
		width = n
		reversed := uint(bits.Reverse16(uint16(code)) >> (16 - n)) // codes come with their highest bit first
		e := meanings[symbol] | entry(n)
		if n <= c.index {
			for i := reversed; i < 1<<c.index; i += 1 << n {
				table[i] = e
			}
		} else {
			if low := reversed & uint(c.mask); low != from {
				from, secondBits = low, c.secondBits(n, count)
				table[low] = kindTable | entry(secondBits)<<4 | entry(used)<<16
				second = table[used : used+1<<secondBits]
				used += 1 << secondBits
			}
			for i := reversed >> c.index; i < 1<<secondBits; i += 1 << (n - c.index) {
				second[i] = e
			}
		}
		count[n]--
		code++
	}
}

// secondBits returns how many index bits a second table needs whose first code has n bits; count is of the codes still to come.
func (c *codes) secondBits(n uint, count *[maxLength + 1]int) uint {
	size := n - c.index
	for left := 1 << size; n < maxLength; n, size, left = n+1, size+1, left<<1 {
		if left -= count[n]; left <= 0 {
			break
		}
	}
	return size
}
