package fulltext

import (
	"context"
	"slices"
	"time"
)

const (
	batch      = 256     // messages that are indexed in one transaction
	maxQueued  = 4 << 20 // contents that wait to be indexed; more are forgotten until the next search
	batchBytes = 4 << 20 // of signatures; they are written then
	// rest is how many times as long as it worked the feeder pauses: it takes a fifth of a processor at most.
	rest      = 4
	busyPause = 100 * time.Millisecond
)

// Note says that contents came to an account. They will be indexed if the account has an index.
func (x *Indexes) Note(account int64, contents ...int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.exists[account] {
		x.enqueue(account, contents)
	}
}

// want asks to index what a search had to read.
func (x *Indexes) want(account int64, contents []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.exists[account] || len(contents) >= worthwhile {
		x.enqueue(account, contents)
	}
}

func (x *Indexes) enqueue(account int64, contents []int64) {
	waiting := x.wanted[account]
	contents = contents[:min(len(contents), maxQueued-x.total)]
	if len(contents) == 0 {
		return
	}
	if len(waiting) == 0 {
		x.queue = append(x.queue, account)
	}
	x.total -= len(waiting)
	waiting = append(waiting, contents...)
	slices.Sort(waiting)
	waiting = slices.Compact(waiting)
	x.wanted[account] = waiting
	x.total += len(waiting)
	select {
	case x.work <- struct{}{}:
	default:
	}
}

// next takes a batch of an account's contents, the latest first: they are searched for most. Accounts take turns.
func (x *Indexes) next() (account int64, contents []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return 0, nil
	}
	account = x.queue[0]
	x.queue = x.queue[1:]
	waiting := x.wanted[account]
	n := max(0, len(waiting)-batch)
	contents = slices.Clone(waiting[n:])
	x.total -= len(contents)
	if n == 0 {
		delete(x.wanted, account)
	} else {
		x.wanted[account] = waiting[:n]
		x.queue = append(x.queue, account)
	}
	return account, contents
}

// feed indexes what is wanted until ctx ends.
func (x *Indexes) feed(ctx context.Context) {
	defer close(x.done)
	var s signer
	for {
		account, contents := x.next()
		if contents == nil {
			select {
			case <-ctx.Done():
				return
			case <-x.work:
			}
			continue
		}
		for x.options.Busy != nil && x.options.Busy() {
			if !pause(ctx, busyPause) {
				return
			}
		}
		start := time.Now()
		x.index(ctx, &s, account, contents)
		if !pause(ctx, rest*time.Since(start)) {
			return
		}
	}
}

// pause waits; false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// index adds contents to the index of an account. Those that cannot be read are left out.
func (x *Indexes) index(ctx context.Context, s *signer, account int64, contents []int64) {
	f := x.acquire(account, true)
	if f == nil {
		return
	}
	defer x.release(f)
	var list []row
	size := 0
	flush := func() {
		if err := f.add(list); err != nil {
			x.discard(f, err)
		}
		list, size = list[:0], 0
	}
	for _, id := range f.unknown(contents) {
		raw, err := x.options.Source.ReadContent(ctx, id)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			continue
		}
		signature := s.sign(raw)
		list = append(list, row{id, signature})
		if size += len(signature); size > batchBytes {
			flush()
		}
	}
	flush()
}
