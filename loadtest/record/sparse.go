package record

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"
)

// sparseBuckets is one more than the bucket of Highest.
const sparseBuckets = 418

// countBits is the room for a count beside its bucket's number in one word.
const (
	countBits = 48
	maxCount  = 1<<countBits - 1 // a count stays there; no test comes near
)

// Sparse is a coarse histogram for one interval of a series: log-linear, 16
// sub-buckets an octave (6.25 % wide), in microseconds, only those in use:
// eight bytes each, at most 418. The zero value and nil are empty.
type Sparse struct {
	// words holds bucket<<countBits | count, ascending.
	words []uint64
	// shared is set before a second Cell has it: nobody changes it from then on.
	shared bool
}

// sparseIndex numbers the bucket of a value in microseconds: exact below 32.
func sparseIndex(micros int64) int {
	if micros < 32 {
		return int(micros)
	}
	e := bits.Len64(uint64(micros)) - 5
	return e<<4 + int(micros>>e)
}

// sparseRange is the inverse of sparseIndex: the values from <= v <= to.
func sparseRange(index int) (from, to int64) {
	if index < 32 {
		return int64(index), int64(index)
	}
	e := index>>4 - 1
	from = int64(index-e<<4) << e
	return from, from + 1<<e - 1
}

// Record counts one latency, clamped to [Lowest, Highest].
func (s *Sparse) Record(d time.Duration) { s.add(sparseIndex(clamp(d)), 1) }

func (s *Sparse) add(index int, n int64) {
	key := uint64(index) << countBits
	lo, hi := 0, len(s.words)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.words[mid] < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s.words) && s.words[lo]>>countBits == uint64(index) {
		_, have := split(s.words[lo])
		s.words[lo] = key | uint64(min(have+n, maxCount))
		return
	}
	s.words = append(s.words, 0)
	copy(s.words[lo+1:], s.words[lo:])
	s.words[lo] = key | uint64(n)
}

func split(word uint64) (index int, count int64) {
	return int(word >> countBits), int64(word & maxCount)
}

// Merge adds every bucket of from.
func (s *Sparse) Merge(from *Sparse) {
	if from == nil {
		return
	}
	for _, w := range from.words {
		s.add(split(w))
	}
}

// Count is the number of recorded values.
func (s *Sparse) Count() int64 {
	if s == nil {
		return 0
	}
	var n int64
	for _, w := range s.words {
		_, c := split(w)
		n += c
	}
	return n
}

// Quantile is the upper edge of the bucket in which the share q (0 to 1) of
// the values is reached: at most 6.25 % over, never under. Zero when empty.
func (s *Sparse) Quantile(q float64) time.Duration {
	n := s.Count()
	if n == 0 {
		return 0
	}
	rank := ceilRank(q, n)
	at := 0
	for i, w := range s.words {
		_, c := split(w)
		if rank -= c; rank <= 0 {
			at = i
			break
		}
	}
	index, _ := split(s.words[at])
	_, to := sparseRange(index)
	return min(time.Duration(to)*time.Microsecond, Highest)
}

// Each calls f for every bucket that is not empty, ascending. A bucket holds
// the values v with from <= v <= to.
func (s *Sparse) Each(f func(from, to time.Duration, count int64)) {
	if s == nil {
		return
	}
	for _, w := range s.words {
		index, count := split(w)
		from, to := sparseRange(index)
		f(time.Duration(from)*time.Microsecond, min(time.Duration(to)*time.Microsecond, Highest), count)
	}
}

// MarshalJSON writes pairs in one flat array: bucket, count, bucket, count, …
// with buckets as numbered by 16 sub-buckets an octave of microseconds.
func (s *Sparse) MarshalJSON() ([]byte, error) {
	flat := make([]int64, 0, 2*len(s.words))
	for _, w := range s.words {
		index, count := split(w)
		flat = append(flat, int64(index), count)
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Sparse) UnmarshalJSON(data []byte) error {
	var flat []int64
	if err := json.Unmarshal(data, &flat); err != nil {
		return fmt.Errorf("latency: found %.20q; accepted is an array of bucket and count in turn", data)
	}
	if len(flat)%2 != 0 || len(flat) > 2*sparseBuckets {
		return fmt.Errorf("latency: found %d numbers; accepted are pairs, at most %d", len(flat), sparseBuckets)
	}
	words := make([]uint64, 0, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		index, count := flat[i], flat[i+1]
		if index < 0 || index >= sparseBuckets || count < 1 || count > maxCount {
			return fmt.Errorf("latency: found bucket %d with count %d; accepted are buckets 0 to %d with counts from 1", index, count, sparseBuckets-1)
		}
		if i > 0 && index <= flat[i-2] {
			return fmt.Errorf("latency: found bucket %d after %d; accepted are ascending buckets", index, flat[i-2])
		}
		words = append(words, uint64(index)<<countBits|uint64(count))
	}
	s.words = words
	return nil
}
