package login

import (
	"testing"
	"time"
)

func TestRest(t *testing.T) {
	for elapsed, want := range map[time.Duration]time.Duration{0: 400, 1: 399, 399: 1, 400: 400, 950: 250} {
		if got := rest(elapsed, 400); got != want {
			t.Errorf("rest(%d) = %d, want %d", elapsed, got, want)
		}
	}
}
