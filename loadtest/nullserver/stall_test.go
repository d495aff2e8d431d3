package nullserver

import (
	"testing"
	"time"
)

func TestStallLeft(t *testing.T) {
	stall := Stall{Every: 10 * time.Second, For: time.Second}
	for since, want := range map[time.Duration]time.Duration{
		0: 0, 8999 * time.Millisecond: 0, 9 * time.Second: time.Second, 9750 * time.Millisecond: 250 * time.Millisecond,
		10 * time.Second: 0, 59500 * time.Millisecond: 500 * time.Millisecond,
	} {
		if left := stall.left(since); left != want {
			t.Errorf("%v after the start: %v left, %v expected", since, left, want)
		}
	}
}
