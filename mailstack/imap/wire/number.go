package wire

import "math"

// Number takes a number of 32 bits.
func (r *Reader) Number() (uint32, error) {
	n, err := r.number(math.MaxUint32)
	return uint32(n), err
}

// NZNumber takes a number of 32 bits that is not zero.
func (r *Reader) NZNumber() (uint32, error) {
	n, err := r.number(math.MaxUint32)
	if err == nil && n == 0 {
		err = Bad("number is zero")
	}
	return uint32(n), err
}

// Number64 takes a number of 63 bits (RFC 9051, section 9, number64; RFC 7162, mod-sequence-value).
func (r *Reader) Number64() (uint64, error) {
	return r.number(math.MaxInt64)
}

func (r *Reader) number(limit uint64) (n uint64, err error) {
	i := r.pos
	for ; i < r.eol && '0' <= r.buf[i] && r.buf[i] <= '9'; i++ {
		digit := uint64(r.buf[i] - '0')
		if n > (limit-digit)/10 {
			return 0, Bad("number is too large")
		}
		n = n*10 + digit
	}
	if i == r.pos {
		return 0, Bad("number is missing")
	}
	r.pos = i
	return n, nil
}
