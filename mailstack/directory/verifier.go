package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// Bounds of a Verifier.
const (
	maxComputations = 2       // argon2 takes 19 MiB and a core each
	maxCached       = 1 << 16 // about 100 bytes each: a large ministry whose agents come one after the other still finds itself
)

// Verifier checks passwords with bounded memory and processor time, for a process whose peers are unknown.
// A success is remembered, under a key that only this process holds, so that a client that logs in every few seconds
// costs a hash once. The zero value is not usable: NewVerifier.
type Verifier struct {
	slots chan struct{}
	key   [32]byte
	dummy string

	mu     sync.Mutex
	recent map[[sha256.Size]byte]struct{} // successes
	old    map[[sha256.Size]byte]struct{} // successes of the generation before
}

// NewVerifier makes a Verifier.
func NewVerifier() *Verifier {
	v := &Verifier{
		slots:  make(chan struct{}, maxComputations),
		recent: map[[sha256.Size]byte]struct{}{},
	}
	rand.Read(v.key[:])
	// The key of this hash is random: no password matches it, and none has to be hashed to make it.
	h := argonHash{argonMemory, argonTime, argonThreads, make([]byte, argonSalt), make([]byte, argonKey)}
	rand.Read(h.salt)
	rand.Read(h.key)
	v.dummy = h.String()
	return v
}

// Verify is the function of that name, bounded. It fails with ctx's error while waiting for its turn.
func (v *Verifier) Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	if password == "" || len(password) > MaxPassword {
		return false, false, nil
	}
	id := v.identify(hash, password)
	if v.seen(id) {
		return true, !h.current(), nil
	}
	select {
	case v.slots <- struct{}{}:
	case <-ctx.Done():
		return false, false, ctx.Err()
	}
	ok = h.matches(password)
	<-v.slots
	if ok {
		v.remember(id)
	}
	return ok, !h.current(), nil
}

// Waste takes as long as verifying a wrong password does, so that an unknown account cannot be told from a known one.
func (v *Verifier) Waste(ctx context.Context, password string) error {
	if password == "" || len(password) > MaxPassword {
		return nil
	}
	_, _, err := v.Verify(ctx, v.dummy, password)
	return err
}

// Remember takes a password as one that matches hash, for a caller who has just made the hash from it.
func (v *Verifier) Remember(hash, password string) { v.remember(v.identify(hash, password)) }

func (v *Verifier) identify(hash, password string) (id [sha256.Size]byte) {
	m := hmac.New(sha256.New, v.key[:])
	m.Write([]byte(hash))
	m.Write([]byte{0}) // no hash holds a zero byte
	m.Write([]byte(password))
	m.Sum(id[:0])
	return id
}

func (v *Verifier) seen(id [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.recent[id]; ok {
		return true
	}
	_, ok := v.old[id]
	if ok {
		v.put(id)
	}
	return ok
}

func (v *Verifier) remember(id [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(id)
}

// put keeps two generations of at most maxCached/2: what was not used for a whole generation goes. The caller holds mu.
func (v *Verifier) put(id [sha256.Size]byte) {
	if len(v.recent) >= maxCached/2 {
		v.old, v.recent = v.recent, map[[sha256.Size]byte]struct{}{}
	}
	v.recent[id] = struct{}{}
}
