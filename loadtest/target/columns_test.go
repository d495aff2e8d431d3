package target

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var testBegin = time.Unix(1_800_000_000, 0)

// TestColumnsConserve feeds hours of irregular samples: however often neighbours merge, nothing that grew is lost, no peak
// is flattened and no interval is longer than it is.
func TestColumnsConserve(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := timeline{begin: testBegin, width: 2 * time.Second}
		var c columns
		at, whole, peak := testBegin, 0.0, 0.0
		for range 2000 {
			next := at.Add(time.Duration(rng.ExpFloat64() * 2e9))
			for range l.reach(next) {
				c.fold()
			}
			grew := rng.Float64()
			c.grow(&l, cpu, at, next, grew)
			c.show(&l, heap, next, grew)
			whole, peak, at = whole+grew, max(peak, grew), next
		}
		if l.n > maxIntervals || l.width < 8*time.Second {
			t.Fatalf("%d intervals of %v", l.n, l.width)
		}
		s := c.series(l.n)
		if len(s.CPUCores) != l.n || len(s.HeapBytes) != l.n || s.ResidentBytes != nil {
			t.Fatalf("columns have lengths %d, %d, %d for %d intervals", len(s.CPUCores), len(s.HeapBytes), len(s.ResidentBytes), l.n)
		}
		sum := 0.0
		for i, covered := range c.covered[cpu] {
			if covered > l.width.Seconds()*(1+1e-9) || i < l.n-1 && math.Abs(covered-l.width.Seconds()) > 1e-6 {
				t.Errorf("interval %d covers %v s of %v", i, covered, l.width)
			}
			sum += s.CPUCores[i] * covered
		}
		if math.Abs(sum-whole) > 1e-6 {
			t.Errorf("grew by %v, the series says %v", whole, sum)
		}
		if got := slices.MaxFunc(s.HeapBytes, compareKnown); got != peak {
			t.Errorf("peak is %v, the series says %v", peak, got)
		}
	}
}

// compareKnown orders NaN first.
func compareKnown(a, b float64) int {
	switch {
	case math.IsNaN(a) || a < b:
		return -1
	case math.IsNaN(b) || a > b:
		return 1
	}
	return 0
}

func TestGapsStayGaps(t *testing.T) {
	l := timeline{begin: testBegin, width: time.Second}
	var c columns
	second := func(n float64) time.Time { return testBegin.Add(time.Duration(n * 1e9)) }
	l.reach(second(6))
	c.grow(&l, cpu, second(0.5), second(2.5), 4)
	c.show(&l, sessions, second(4.2), 3)
	c.show(&l, sessions, second(4.9), 2)
	s := c.series(l.n)
	text, err := json.Marshal(PodSeries{Name: "a", Series: s})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"a","restarts":0,"failures":0,"cpuCores":[2,2,2,null,null,null,null],"sessions":[null,null,null,null,3,null,null]}`
	if string(text) != want {
		t.Errorf("got\n%s want\n%s", text, want)
	}
	var again PodSeries
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if second, err := json.Marshal(again); err != nil || string(second) != want {
		t.Errorf("read and written again\n%s, %v", second, err)
	}
}

func TestColumnJSON(t *testing.T) {
	text, err := json.Marshal(Column{0, 1234567.89, 1.0 / 3, 1e-9, -2, math.Inf(1), math.NaN()})
	if err != nil || string(text) != "[0,1234570,0.333333,0.000000001,-2,null,null]" {
		t.Errorf("%s, %v", text, err)
	}
	var c Column
	if err := json.Unmarshal([]byte(`["x"]`), &c); err == nil {
		t.Error("a column of text is read")
	}
	if err := json.Unmarshal([]byte("null"), &c); err != nil || c != nil {
		t.Error(c, err)
	}
}

func TestSum(t *testing.T) {
	nan := math.NaN()
	got := sum([]PodSeries{
		{Series: Series{CPUCores: Column{1, nan, nan, 4}}},
		{Series: Series{CPUCores: Column{1, 2, nan, nan}, HeapBytes: Column{5, 5, 5, 5}}},
		{},
	})
	text, err := json.Marshal(got)
	if want := `{"cpuCores":[2,2,null,4],"heapBytes":[5,5,5,5]}`; err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if strings.Contains(string(text), "sessions") {
		t.Error("an unknown column is there")
	}
}
