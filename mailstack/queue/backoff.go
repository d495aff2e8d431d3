package queue

import (
	"math/rand/v2"
	"time"
)

// backoff is the pause after each attempt; the last one repeats. Short at first, because what fails inside the platform
// is mostly a restart.
var backoff = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// pause is how long to wait after the given number of failed attempts, at least 1, give or take a tenth so that items that
// failed together do not all return together.
func pause(attempts int) time.Duration {
	d := backoff[min(max(attempts, 1), len(backoff))-1]
	return d - d/10 + rand.N(d/5)
}
