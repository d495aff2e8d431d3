package content

import (
	"encoding/binary"
	"math/bits"
)

// random is wyrand (Wang Yi, wyhash final version 4): a multiplication a number. It is written out here because messages must be the
// same in every version of this program: they are recomputed from their tokens by whoever reads them.
type random uint64

func (r *random) next() uint64 {
	*r += 0xa0761d6478bd642f
	high, low := bits.Mul64(uint64(*r), uint64(*r)^0xe7037ed1a0b428db)
	return high ^ low
}

// below returns a number from 0 to n-1.
func (r *random) below(n int) int {
	high, _ := bits.Mul64(r.next(), uint64(n))
	return int(high)
}

// fill writes random octets.
func (r *random) fill(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, r.next())
	}
	for i, n := 0, r.next(); i < len(p); i, n = i+1, n>>8 {
		p[i] = byte(n)
	}
}

// digest is FNV-1a, 64 bits.
type digest uint64

const emptyDigest digest = 0xcbf29ce484222325

func sum[T string | []byte](d digest, data T) digest {
	for i := range len(data) {
		d = (d ^ digest(data[i])) * 0x100000001b3
	}
	return d
}

func (d digest) number(n uint64) digest {
	return (d ^ digest(n)) * 0x100000001b3
}

// mixed spreads a digest's bits over the whole word (the finalizer of splitmix64).
func (d digest) mixed() uint64 {
	x := uint64(d)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
