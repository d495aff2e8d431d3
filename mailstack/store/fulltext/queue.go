package fulltext

import (
	"slices"
	"sync"
)

const (
	batch     = 256     // contents of one account that are taken at a time
	maxQueued = 4 << 20 // contents that wait; more are forgotten until the next search misses them
)

// queue is what is to be done, by account; accounts take turns. Putting something into it never waits long.
type queue struct {
	ready chan struct{} // has one when there may be work

	mu       sync.Mutex
	accounts map[int64]*work
	turns    []int64 // the keys of accounts
	total    int     // contents in them
}

// work is what is to be done in one account.
type work struct {
	came []int64 // contents to be indexed, ascending
	gone []int64 // contents to be forgotten, before
}

func newQueue() *queue {
	return &queue{ready: make(chan struct{}, 1), accounts: make(map[int64]*work)}
}

func (q *queue) put(account int64, came, gone []int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	gone = gone[:min(len(gone), maxQueued-q.total)]
	came = came[:min(len(came), maxQueued-q.total-len(gone))]
	if len(came)+len(gone) == 0 {
		return
	}
	w := q.accounts[account]
	if w == nil {
		w = &work{}
		q.accounts[account] = w
		q.turns = append(q.turns, account)
	}
	q.total -= len(w.came)
	w.came = append(w.came, came...)
	if !slices.IsSorted(w.came) {
		slices.Sort(w.came)
	}
	w.came = slices.Compact(w.came)
	w.gone = append(w.gone, gone...)
	q.total += len(w.came) + len(gone)
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next takes work of the account whose turn it is: the latest contents first, they are searched for most. It is empty when there
// is nothing to do.
func (q *queue) next() (account int64, w work) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) == 0 {
		return 0, work{}
	}
	account = q.turns[0]
	q.turns = q.turns[1:]
	all := q.accounts[account]
	rest := max(0, len(all.came)-batch)
	w = work{came: slices.Clone(all.came[rest:]), gone: all.gone}
	q.total -= len(w.came) + len(w.gone)
	all.came, all.gone = all.came[:rest], nil
	if rest == 0 {
		delete(q.accounts, account)
	} else {
		q.turns = append(q.turns, account)
	}
	return account, w
}
