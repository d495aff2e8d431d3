package record

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of every histogram. Two histograms of one geometry
// merge bucket by bucket without any loss.
const (
	Lowest  = time.Microsecond
	Highest = 10 * time.Minute
	Digits  = 3 // significant decimal digits: a bucket is at most 0.1 % wide
)

// maxEncoded bounds the text of one encoded histogram, which may come from
// another process. The densest one of this geometry is below 300 KiB.
const maxEncoded = 1 << 20

// Histogram counts latencies in the buckets of Gil Tene's HdrHistogram: values
// in microseconds, from Lowest to Highest, to three digits. What lies outside
// is clamped, never dropped. The zero value and nil are empty histograms, and
// an empty one costs a pointer. Not safe for concurrent use.
type Histogram struct {
	h *hdrhistogram.Histogram
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram { return &Histogram{} }

func newHDR() *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(Lowest/time.Microsecond), int64(Highest/time.Microsecond), Digits)
}

// clamp rounds to whole microseconds within [Lowest, Highest].
func clamp(d time.Duration) int64 {
	return int64(min(max(d, Lowest), Highest).Round(time.Microsecond) / time.Microsecond)
}

// Record counts one latency.
func (h *Histogram) Record(d time.Duration) { h.recordMicros(clamp(d), 1) }

func (h *Histogram) recordMicros(micros, n int64) {
	if h.h == nil {
		h.h = newHDR()
	}
	// Within the range by clamp; a total over 2^63 is not reached by counting.
	_ = h.h.RecordValues(micros, n)
}

// Count is the number of recorded values.
func (h *Histogram) Count() int64 {
	if h == nil || h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile returns the value below or at which the share q (0 to 1) of the
// values lies: the highest value equivalent to the one of rank ceil(q*n), so
// that it never understates. Zero when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	if q <= 0 {
		return h.Min()
	}
	// The library rounds the rank to the nearest; its percentile is chosen so
	// that it arrives at the rank rounded up (nearest-rank definition).
	rank := ceilRank(q, n)
	return h.duration(h.h.ValueAtPercentile(100 * float64(rank) / float64(n)))
}

// ceilRank is ceil(q*n) within [1, n], forgiving the rounding of q*n.
func ceilRank(q float64, n int64) int64 {
	rank := math.Ceil(q*float64(n) - 1e-9*float64(n))
	if !(rank >= 1) {
		return 1
	}
	if rank >= float64(n) {
		return n
	}
	return int64(rank)
}

// duration converts a bucket's value, whose upper edge may exceed the range.
func (h *Histogram) duration(micros int64) time.Duration {
	return min(time.Duration(micros)*time.Microsecond, Highest)
}

// Max is the largest value, to three digits; zero when empty.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return h.duration(h.h.Max())
}

// Min is the smallest value, to three digits; zero when empty.
func (h *Histogram) Min() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return h.duration(h.h.Min())
}

// Mean is the mean of the buckets' middles; zero when empty.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Mean() * float64(time.Microsecond))
}

// Merge adds every bucket of from; exact, since all histograms share one
// geometry. Overflowing a total of 2^63-1 is an error.
func (h *Histogram) Merge(from *Histogram) error {
	if from.Count() == 0 {
		return nil
	}
	if h.h == nil {
		h.h = newHDR()
	}
	if dropped := h.h.Merge(from.h); dropped != 0 {
		return fmt.Errorf("histogram: %d values do not fit into the merged one", dropped)
	}
	return nil
}

// Clone returns an independent copy.
func (h *Histogram) Clone() *Histogram {
	if h.Count() == 0 {
		return &Histogram{}
	}
	return &Histogram{h: h.h.Clone()}
}

// Equal reports whether every bucket holds the same count.
func (h *Histogram) Equal(other *Histogram) bool {
	if h.Count() == 0 || other.Count() == 0 {
		return h.Count() == other.Count()
	}
	return h.h.Equals(other.h)
}

// Buckets calls f for every bucket that is not empty, ascending. A bucket
// holds the values v with from <= v <= to.
func (h *Histogram) Buckets(f func(from, to time.Duration, count int64)) {
	if h.Count() == 0 {
		return
	}
	for _, bar := range h.h.Distribution() {
		if bar.Count != 0 {
			f(time.Duration(bar.From)*time.Microsecond, h.duration(bar.To), bar.Count)
		}
	}
}

// MarshalJSON writes the HdrHistogram V2 compressed encoding in base64, as
// read by HdrHistogram's tools in every language (values in microseconds).
func (h *Histogram) MarshalJSON() ([]byte, error) {
	hdr := h.h
	if hdr == nil {
		hdr = newHDR()
	}
	text, err := hdr.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return json.Marshal(string(text))
}

// UnmarshalJSON reads what MarshalJSON wrote. Histograms of another range or
// precision are refused: they would not merge exactly.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	if len(data) > maxEncoded {
		return fmt.Errorf("histogram: found %d bytes; accepted are at most %d", len(data), maxEncoded)
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("histogram: found %.20q; accepted is a base64 string", data)
	}
	hdr, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	want := newHDR()
	if hdr.LowestTrackableValue() != want.LowestTrackableValue() || hdr.HighestTrackableValue() != want.HighestTrackableValue() ||
		hdr.SignificantFigures() != want.SignificantFigures() {
		return fmt.Errorf("histogram: found range %d to %d and %d digits; accepted is %d to %d us and %d digits",
			hdr.LowestTrackableValue(), hdr.HighestTrackableValue(), hdr.SignificantFigures(),
			want.LowestTrackableValue(), want.HighestTrackableValue(), Digits)
	}
	h.h = hdr
	if hdr.TotalCount() == 0 {
		h.h = nil
	}
	return nil
}
