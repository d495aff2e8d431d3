package content

import (
	"math/rand/v2"
	"sync"
)

// thread is where a message stands in its conversation; answered is 0 at the beginning of one.
type thread struct{ number, root, answered uint64 }

// threads are the last messages, to answer to.
type threads struct {
	mu   sync.Mutex
	ring [256]thread
	used uint64
}

func (t *threads) add(one thread) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.used%uint64(len(t.ring))] = one
	t.used++
}

func (t *threads) pick(rng *rand.Rand) (thread, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used == 0 {
		return thread{}, false
	}
	return t.ring[rng.Uint64N(min(t.used, uint64(len(t.ring))))], true
}
