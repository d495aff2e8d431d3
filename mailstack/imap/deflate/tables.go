package deflate

import "sync"

// tables are the codes of a compressed block, and while they are read, what is known of them.
type tables struct {
	literals, distances codes
	literal             [literalEntries]entry
	distance            [distanceEntries]entry // at first of the code of the lengths

	nLiterals, nDistances, nLengths int
	read                            int // how many lengths are known
	lengths                         [maxLiterals + maxDistances]uint8
}

var (
	tablesPool = sync.Pool{New: func() any { return new(tables) }}
	fixed      = sync.OnceValue(fixedTables)
)

// fixedTables are the codes of RFC 1951, section 3.2.6.
func fixedTables() *tables {
	t := new(tables)
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	t.buildLiterals(lengths[:])
	for i := range lengths[:32] {
		lengths[i] = 5
	}
	t.buildDistances(lengths[:32])
	return t
}

func (t *tables) buildLiterals(lengths []uint8) error {
	return t.literals.build(t.literal[:], literalBits, lengths, literalMeanings[:])
}

func (t *tables) buildDistances(lengths []uint8) error {
	return t.distances.build(t.distance[:], distanceBits, lengths, distanceMeanings[:])
}

// codeCounts reads how many codes there are (RFC 1951, section 3.2.7).
func (r *Reader) codeCounts() error {
	if !r.need(14) {
		return errInput
	}
	t := r.block.tables
	t.nLiterals, t.nDistances, t.nLengths = r.take(5)+257, r.take(5)+1, r.take(4)+4
	if t.nLiterals > maxLiterals || t.nDistances > maxDistances {
		return errCounts
	}
	t.read = 0
	clear(t.lengths[:maxLengths])
	r.block.state = codeLengths
	return nil
}

// lengthOrder is the order in which the lengths of the codes of lengths come.
var lengthOrder = [maxLengths]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (r *Reader) codeLengths() error {
	t := r.block.tables
	for ; t.read < t.nLengths; t.read++ {
		if !r.need(3) {
			return errInput
		}
		t.lengths[lengthOrder[t.read]] = uint8(r.take(3))
	}
	if err := t.distances.build(t.distance[:], lengthBits, t.lengths[:maxLengths], lengthMeanings[:]); err != nil {
		return err
	}
	t.read = 0
	r.block.state = symbolLengths
	return nil
}

// symbolLengths reads the lengths of both sets of codes, which are one sequence.
func (r *Reader) symbolLengths() error {
	t := r.block.tables
	all := t.lengths[:t.nLiterals+t.nDistances]
	for t.read < len(all) {
		r.need(lengthBits + 7)
		e := t.distance[r.bits&t.distances.mask]
		n := e.length()
		if n > r.nbits {
			return errInput
		}
		if e.kind() != kindLiteral {
			return errSymbol
		}
		symbol := e.value()
		if symbol < 16 {
			r.take(n)
			all[t.read] = uint8(symbol)
			t.read++
			continue
		}
		var length uint8
		if symbol == 16 {
			if t.read == 0 {
				return errRepeat
			}
			length = all[t.read-1]
		}
		run := runs[symbol-16]
		if n+run.extra > r.nbits {
			return errInput
		}
		r.take(n)
		count := run.base + r.take(run.extra)
		if count > len(all)-t.read {
			return errRepeat
		}
		for range count {
			all[t.read] = length
			t.read++
		}
	}
	if err := t.buildLiterals(all[:t.nLiterals]); err != nil {
		return err
	}
	if err := t.buildDistances(all[t.nLiterals:]); err != nil {
		return err
	}
	r.block.state = symbols
	return nil
}

// runs are the symbols from 16 on, which repeat a length, the previous one or 0.
var runs = [3]struct {
	base  int
	extra uint
}{{3, 2}, {3, 3}, {11, 7}}
