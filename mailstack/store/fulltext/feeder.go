package fulltext

import (
	"context"
	"time"
)

const (
	batchBytes = 4 << 20 // of signatures; they are written then
	busyPause  = 100 * time.Millisecond
	// rest is how many times as long as it worked the feeder pauses: it takes a fifth of a processor at most.
	rest = 4
)

// feed does what is in the queue until ctx ends.
func (x *Indexes) feed(ctx context.Context) {
	defer close(x.done)
	var s signer
	for ctx.Err() == nil {
		account, w := x.queue.next()
		if len(w.came)+len(w.gone) == 0 {
			select {
			case <-ctx.Done():
			case <-x.queue.ready:
			}
			continue
		}
		for x.options.Busy != nil && x.options.Busy() && pause(ctx, busyPause) {
		}
		start := time.Now()
		x.work(ctx, &s, account, w)
		pause(ctx, rest*time.Since(start))
	}
}

// pause waits; false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// work brings the index of an account up to date, and makes it if there is none. An index that is mostly empty is thrown away.
func (x *Indexes) work(ctx context.Context, s *signer, account int64, w work) {
	f := x.acquire(account, len(w.came) > 0)
	if f == nil {
		return
	}
	defer x.release(f)
	if len(w.gone) > 0 {
		err := f.remove(w.gone)
		if err == nil && f.emptied() {
			err = errEmptied
		}
		if err != nil {
			x.discard(f, err)
			return
		}
	}
	var list []row
	size := 0
	for _, id := range f.unknown(w.came) {
		raw, err := x.options.Source.ReadContent(ctx, id)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // gone by now, or damaged
			continue
		}
		signature := s.sign(raw)
		list = append(list, row{id, signature})
		if size += len(signature); size < batchBytes {
			continue
		}
		if err := f.add(list); err != nil {
			x.discard(f, err)
			return
		}
		list, size = list[:0], 0
	}
	if err := f.add(list); err != nil {
		x.discard(f, err)
	}
}
