package measure

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestRepeat(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		duration time.Duration
		most     int
		fails    int // the operation that does, from 1; 0: none
		done     int
		err      error
	}{
		"once at least": {duration: 0, most: 10, done: 1},
		"most":          {duration: time.Hour, most: 7, done: 7},
		"failure":       {duration: time.Hour, most: 7, fails: 3, done: 2, err: broken},
	} {
		m := NewMeter(nil)
		calls := 0
		err := m.repeat(t.Context(), test.duration, test.most, func() error {
			if calls++; calls == test.fails {
				return broken
			}
			return nil
		})
		if m.Operations != test.done || len(m.Took) != test.done || !errors.Is(err, test.err) {
			t.Errorf("%s: %d operations, %v", name, m.Operations, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewMeter(nil).repeat(ended, time.Hour, 1, func() error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
}

func TestParallel(t *testing.T) {
	var running, most, calls atomic.Int64
	err := parallel(t.Context(), 100, 4, func(context.Context, int) error {
		calls.Add(1)
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Millisecond)
		running.Add(-1)
		return nil
	})
	if err != nil || calls.Load() != 100 || most.Load() > 4 {
		t.Errorf("%d calls, %d at once, %v", calls.Load(), most.Load(), err)
	}
	broken := errors.New("broken")
	calls.Store(0)
	err = parallel(t.Context(), 1000, 2, func(context.Context, int) error { calls.Add(1); return broken })
	if !errors.Is(err, broken) || calls.Load() > 2 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parallel(ended, 3, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
}
