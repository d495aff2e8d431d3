package database

import "encoding/binary"

// Record is a row as it lies on a page (https://sqlite.org/fileformat2.html, 2.1). Its columns are read one after the other.
type Record struct {
	b          []byte
	types, end int // what is left of the header
	value      int // where the next column's value begins
	failed     bool
}

// reset begins with another row; the zero column follows.
func (r *Record) reset(b []byte) {
	size, n := varint(b)
	*r = Record{b: b, types: n, end: int(size), value: int(size)}
	if n == 0 || size < uint64(n) || size > uint64(len(b)) {
		*r = Record{failed: true}
	}
}

func (r *Record) err() error {
	if r.failed {
		return ErrMalformed
	}
	return nil
}

// sizes are those of values by their types, as far as a type takes one byte: NULL, integers and a floating point number, 0 and
// 1, two that are not in use, and blobs and texts by turns.
var sizes = func() (t [128]uint8) {
	copy(t[:], []uint8{0, 1, 2, 3, 4, 6, 8, 8})
	for kind := 12; kind < len(t); kind++ {
		t[kind] = uint8((kind - 12) / 2)
	}
	return t
}()

// next returns the type and the bytes of the next column.
func (r *Record) next() (kind uint64, value []byte) {
	if r.types >= r.end {
		r.failed = true
		return 0, nil
	}
	var size uint64
	if c := r.b[r.types]; c < 0x80 {
		kind, size = uint64(c), uint64(sizes[c])
		r.types++
	} else {
		var n int
		if kind, n = varint(r.b[r.types:r.end]); n == 0 {
			r.failed = true
			return 0, nil
		}
		size = (max(kind, 12) - 12) / 2
		r.types += n
	}
	begin := r.value
	if size > uint64(len(r.b)-begin) {
		r.failed = true
		return 0, nil
	}
	r.value += int(size)
	return kind, r.b[begin:r.value]
}

// Int is the next column; 0 for what is no integer.
func (r *Record) Int() int64 {
	switch kind, b := r.next(); kind {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 3:
		return int64(int8(b[0]))<<16 | int64(binary.BigEndian.Uint16(b[1:]))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 5:
		return int64(int16(binary.BigEndian.Uint16(b)))<<32 | int64(binary.BigEndian.Uint32(b[2:]))
	case 6:
		return int64(binary.BigEndian.Uint64(b))
	case 9:
		return 1
	}
	return 0
}

// Skip passes over the next column.
func (r *Record) Skip() { r.next() }

// Text is the next column, a text or a blob; nil for what is none. It is gone when the next record is read.
func (r *Record) Text() []byte {
	if kind, b := r.next(); kind >= 12 {
		return b
	}
	return nil
}

// varint reads a number of up to nine bytes, big-endian with 7 bits in each of the first eight; n is 0 if b ends within it.
func varint(b []byte) (v uint64, n int) {
	for n < len(b) {
		c := b[n]
		n++
		if n == 9 {
			return v<<8 | uint64(c), n
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
