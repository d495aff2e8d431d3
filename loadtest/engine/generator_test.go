package engine

import (
	"math"
	"testing"
)

func TestTrend(t *testing.T) {
	var line, few trend
	for i := range 1000 {
		x := float64(i) / 3600
		line.add(x, 5e8+1e6*x+1e5*math.Sin(float64(i)))
	}
	if s := line.slope(); math.Abs(s-1e6) > 1e5 {
		t.Errorf("found %g an hour; the points rise by 1e6", s)
	}
	few.add(0, 0)
	few.add(1, 1)
	if few.slope() != 0 {
		t.Error("two points are no trend")
	}
}
