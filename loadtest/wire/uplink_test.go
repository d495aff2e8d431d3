package wire

import (
	"testing"
	"time"
)

// A bucket lets through what its rate allows, whoever takes how much in which order.
func TestBucket(t *testing.T) {
	start := time.Unix(1000, 0)
	b := bucket{rate: 8000} // 1,000 octets a second
	for _, test := range []struct {
		at     time.Duration
		octets int
		want   time.Duration
	}{
		{0, 500, 500 * time.Millisecond},
		{0, 500, time.Second},
		{400 * time.Millisecond, 100, 700 * time.Millisecond},
		{5 * time.Second, 1000, time.Second}, // an idle line gathers no credit
	} {
		if got := b.takeAt(start.Add(test.at), test.octets); got != test.want {
			t.Errorf("at %v, %d octets: found %v; accepted is %v", test.at, test.octets, got, test.want)
		}
	}
	if unlimited := (&bucket{}).take(1 << 30); unlimited != 0 {
		t.Errorf("no rate: found %v", unlimited)
	}
}
