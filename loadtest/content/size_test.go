package content

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSizesHaveTheirMean(t *testing.T) {
	for _, mean := range []int{30_000, 75_000, 190_000} {
		for _, share := range []float64{0, 0.3} {
			s := newSizes(Options{Sizes: Office, MeanBytes: mean, AttachmentShare: share}.withDefaults())
			rng := rand.New(rand.NewPCG(3, uint64(mean)))
			total, largest, small := 0.0, 0, 0
			const n = 400_000
			for range n {
				size, _ := s.draw(rng)
				total += float64(size)
				largest = max(largest, size)
				if size < 20_000 {
					small++
				}
			}
			if got := total / n; math.Abs(got/float64(mean)-1) > 0.06 {
				t.Errorf("mean %d, files %v: drawn %.0f", mean, share, got)
			}
			// Heavy-tailed: most are small, and some are a hundred times the mean or the largest allowed.
			if small < n/2 || largest < min(50*mean, 20<<20) || largest > 25<<20 {
				t.Errorf("mean %d: %d of %d small, largest %d", mean, small, n, largest)
			}
		}
	}
}

func TestPareto(t *testing.T) {
	for _, mean := range []float64{5e4, 2e5, 1e6} {
		if got := paretoMean(paretoExponent(mean, 32<<10, 25<<20), 32<<10, 25<<20); math.Abs(got/mean-1) > 1e-6 {
			t.Errorf("mean %v: %v", mean, got)
		}
	}
	if a, b := paretoMean(1, 1, 100), paretoMean(1+1e-6, 1, 100); math.Abs(a-b) > 1e-4 {
		t.Errorf("not continuous at 1: %v, %v", a, b)
	}
}

func TestRecipients(t *testing.T) {
	r := NewRun("r", 0, 1, Options{RecipientsMean: 4.39})
	rng := rand.New(rand.NewPCG(3, 4))
	total := 0
	const n = 200_000
	for range n {
		k := r.Recipients(rng)
		if k < 1 || k > 100 {
			t.Fatal(k)
		}
		total += k
	}
	if mean := float64(total) / n; math.Abs(mean-4.39) > 0.05 {
		t.Errorf("mean %v", mean)
	}
	if k := NewRun("r", 0, 1, Options{}).Recipients(rng); k != 1 {
		t.Errorf("without a mean: %d", k)
	}
}

// Small messages are about 8 KB as sent.
func TestSmallMessages(t *testing.T) {
	total := 0
	for _, m := range composed(t, Options{}, 500) {
		total += len(m.Raw)
	}
	if mean := total / 500; mean < 7_500 || mean > 9_500 {
		t.Errorf("mean %d", mean)
	}
}

// The size in the token is what comes out, roughly.
func TestSizesAreKept(t *testing.T) {
	for _, m := range composed(t, Options{Sizes: Office, ReplyShare: 0.3}, 300) {
		id, err := parseToken(m.Token)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(m.Raw); got < id.size-500 || got > id.size+3000 {
			t.Errorf("size %d gives a message of %d", id.size, got)
		}
	}
}
