package record

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Quantiles are those of the sorted samples, to the precision of the buckets
// and never below: 0.1 % for histograms, 6.25 % for the cells of series.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{1, 2, 10, 60, 99, 100, 101, 5000} {
		h, s := NewHistogram(), &Sparse{}
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = time.Duration(math.Exp(rng.NormFloat64()*3) * 1e7).Round(time.Microsecond)
			values[i] = min(max(values[i], Lowest), Highest)
			h.Record(values[i])
			s.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0, .01, .5, .9, .95, .99, .999, .9999, 1} {
			want := values[max(0, int(math.Ceil(q*float64(n)-1e-6))-1)]
			if got := h.Quantile(q); q > 0 && got < want || float64(got-want) > .001*float64(want)+1e3 || float64(want-got) > .001*float64(want) {
				t.Errorf("histogram of %d: quantile %g is %v, want %v", n, q, got, want)
			}
			if got := s.Quantile(q); got < want || float64(got-want) > .0625*float64(want)+1e3 {
				t.Errorf("series cell of %d: quantile %g is %v, want %v", n, q, got, want)
			}
		}
		var sum int64
		last := time.Duration(-1)
		h.Buckets(func(from, to time.Duration, count int64) {
			if from <= last || to < from {
				t.Errorf("bucket %v to %v after %v", from, to, last)
			}
			last, sum = to, sum+count
		})
		if sum != int64(n) || h.Count() != int64(n) || s.Count() != int64(n) {
			t.Errorf("%d in buckets, %d and %d counted, want %d", sum, h.Count(), s.Count(), n)
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	var none *Histogram
	for _, h := range []*Histogram{none, {}, NewHistogram()} {
		if h.Count() != 0 || h.Quantile(.99) != 0 || h.Mean() != 0 || h.Max() != 0 || h.Min() != 0 || !h.Equal(none) {
			t.Error("an empty histogram holds something")
		}
		h.Buckets(func(from, to time.Duration, count int64) { t.Error("a bucket of nothing") })
	}
	if (*Sparse)(nil).Quantile(.5) != 0 || (&Sparse{}).Count() != 0 {
		t.Error("an empty cell holds something")
	}
}

// Every microsecond up to the highest has one bucket, of at most a sixteenth.
func TestSparseBuckets(t *testing.T) {
	next := int64(0)
	for i := range sparseBuckets {
		from, to := sparseRange(i)
		if from != next || to < from || from >= 32 && (to-from+1)*16 > from {
			t.Fatalf("bucket %d is %d to %d, after %d", i, from, to, next-1)
		}
		if sparseIndex(from) != i || sparseIndex(to) != i {
			t.Fatalf("%d and %d are in buckets %d and %d, want %d", from, to, sparseIndex(from), sparseIndex(to), i)
		}
		next = to + 1
	}
	if last := sparseIndex(clamp(Highest)); last != sparseBuckets-1 {
		t.Errorf("the highest value is in bucket %d, want %d", last, sparseBuckets-1)
	}
}

func TestHistogramOfAnotherRange(t *testing.T) {
	for _, h := range []*hdrhistogram.Histogram{hdrhistogram.New(1, 1e9, 3), hdrhistogram.New(1, 600e6, 2), hdrhistogram.New(1000, 600e6, 3)} {
		text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := json.Marshal(string(text))
		if err := new(Histogram).UnmarshalJSON(data); err == nil {
			t.Error("a histogram of another range is accepted")
		}
	}
}

func FuzzHistogram(f *testing.F) {
	h := NewHistogram()
	h.Record(time.Millisecond)
	h.Record(time.Hour)
	data, err := h.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`""`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h Histogram
		if h.UnmarshalJSON(data) != nil {
			return
		}
		again, err := h.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Histogram
		if err := back.UnmarshalJSON(again); err != nil || !back.Equal(&h) {
			t.Errorf("%s does not round-trip: %v", data, err)
		}
	})
}
