package deflate

import (
	"errors"
	"io"
)

// block is where decoding has got to within the structure of the stream.
type block struct {
	state  state
	final  bool
	stored int     // octets left of a stored block
	tables *tables // of a compressed block; from the pool if its codes are its own
}

// state is what comes next.
type state uint8

const (
	blockHeader  state = iota
	storedLength       // of a stored block
	storedOctets
	codeCounts  // of a block with its own codes
	codeLengths // of the code of the lengths of its codes
	symbolLengths
	symbols
	blockEnd
)

// Why decoding pauses.
var (
	errInput = errors.New("deflate: more input is needed")
	errRoom  = errors.New("deflate: more could be decoded")
)

// decodeBlocks is decode. Its error says why it stopped: errInput, errRoom, io.EOF at the end of the last block, ErrCorrupt.
func (r *Reader) decodeBlocks(p []byte) (n int, err error) {
	for err == nil {
		switch r.block.state {
		case blockHeader:
			if n > 0 {
				return n, errInput
			}
			err = r.header()
		case storedLength:
			err = r.storedLength()
		case storedOctets:
			n, err = r.copyStored(p, n)
		case codeCounts:
			err = r.codeCounts()
		case codeLengths:
			err = r.codeLengths()
		case symbolLengths:
			err = r.symbolLengths()
		case symbols:
			n, err = r.symbols(p, n)
		case blockEnd:
			err = r.endBlock()
		}
	}
	return n, err
}

func (r *Reader) endBlock() error {
	b := &r.block
	if t := b.tables; t != nil && t != fixed() {
		tablesPool.Put(t)
	}
	b.tables = nil
	b.state = blockHeader
	if !b.final {
		return nil
	}
	r.align()
	return io.EOF
}

// need makes n bits ready, which are at most 56, if so many have come.
func (r *Reader) need(n uint) bool {
	for r.nbits < n {
		if len(r.in) == 0 {
			return false
		}
		r.bits |= uint64(r.in[0]) << r.nbits
		r.nbits += 8
		r.in = r.in[1:]
	}
	return true
}

// take takes n bits that are ready.
func (r *Reader) take(n uint) int {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.nbits -= n
	return int(v)
}

// align goes to the next whole octet.
func (r *Reader) align() { r.take(r.nbits % 8) }

// header reads the first bits of a block (RFC 1951, section 3.2.3).
func (r *Reader) header() error {
	if !r.need(3) {
		return errInput
	}
	b := &r.block
	b.final = r.take(1) == 1
	switch r.take(2) {
	case 0:
		r.align()
		b.state = storedLength
	case 1:
		b.tables, b.state = fixed(), symbols
	case 2:
		b.tables, b.state = tablesPool.Get().(*tables), codeCounts
	default:
		return errBlockType
	}
	return nil
}

// storedLength reads the head of a stored block (RFC 1951, section 3.2.4).
func (r *Reader) storedLength() error {
	if !r.need(32) {
		return errInput
	}
	length, complement := r.take(16), r.take(16)
	if length != complement^0xffff {
		return errStored
	}
	b := &r.block
	b.stored, b.state = length, storedOctets
	b.final = b.final || r.ending && length == 0
	return nil
}

func (r *Reader) copyStored(p []byte, n int) (int, error) {
	b := &r.block
	for ; r.nbits > 0 && b.stored > 0 && n < len(p); n++ {
		p[n] = byte(r.take(8))
		b.stored--
	}
	if r.nbits == 0 {
		k := copy(p[n:], r.in[:min(b.stored, len(r.in))])
		r.in = r.in[k:]
		b.stored -= k
		n += k
	}
	switch {
	case b.stored == 0:
		b.state = blockEnd
		return n, nil
	case r.nbits == 0 && len(r.in) == 0:
		return n, errInput
	}
	return n, errRoom
}
