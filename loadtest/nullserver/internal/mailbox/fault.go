package mailbox

import "sync/atomic"

// Fault is a bug that happens every Nth time it could: Every is N, 0 is never.
type Fault struct {
	Every          int
	seen, injected atomic.Int64
}

// Due counts an occasion and says whether the bug happens now.
func (f *Fault) Due() bool {
	if f.Every <= 0 || f.seen.Add(1)%int64(f.Every) != 0 {
		return false
	}
	f.injected.Add(1)
	return true
}

// Injected is how often the bug happened.
func (f *Fault) Injected() int64 { return f.injected.Load() }

// Faults are the bugs of a store and of the protocols over it; package nullserver describes them.
type Faults struct {
	FlagLost, UIDReused, ByteFlipped, MessageLost, MessageDoubled, WrongModSeq, ExpungeSilently, EnvelopeChanged Fault
}
