package distribution

import (
	"context"
	"fmt"
	"time"
)

const (
	// maxOffset is how far a worker's clock may be from the coordinator's: latencies are measured from intended times, which
	// have to be the same moments everywhere.
	maxOffset = 250 * time.Millisecond
	// clockSamples are asked for; the one with the shortest way counts (RFC 5905, section 10).
	clockSamples = 8
)

// offset estimates how far a worker's clock is ahead of this one, as NTP does (RFC 5905, section 8).
func offset(ctx context.Context, w Worker) (time.Duration, error) {
	var best, shortest time.Duration
	for i := range clockSamples {
		asked := time.Now()
		s, err := w.State(ctx, false)
		if err != nil {
			return 0, fmt.Errorf("cannot compare clocks: %w", err)
		}
		theta, delay := compare(asked, s.Received, s.Sent, time.Now())
		if i == 0 || delay < shortest {
			best, shortest = theta, delay
		}
	}
	return best, nil
}

// compare takes the four times of one exchange: asked and answered by this clock, received and sent by the other.
func compare(asked, received, sent, answered time.Time) (offset, delay time.Duration) {
	offset = (received.Sub(asked) + sent.Sub(answered)) / 2
	delay = answered.Sub(asked) - sent.Sub(received)
	return offset, delay
}

// tooFar says why a clock cannot be worked with; nil when it can.
func tooFar(theta time.Duration) error {
	if theta.Abs() <= maxOffset {
		return nil
	}
	return fmt.Errorf("clock: found %s apart from the coordinator's; accepted is at most %s (synchronise the machines' clocks, with NTP say)",
		theta.Abs().Round(time.Millisecond), maxOffset)
}
