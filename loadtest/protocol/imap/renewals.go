package imap

import (
	"container/heap"
	"sync"
	"time"
)

// renewals is when each idle session's IDLE has to be renewed: one heap and one timer for all, and no goroutine while nothing is due.
type renewals struct {
	interval time.Duration // from "+" to DONE
	patience time.Duration // for the server to answer DONE and IDLE

	mu     sync.Mutex
	queue  queue
	timer  *time.Timer
	firing bool
	slots  chan struct{} // bounds the sessions renewed at once, as writing may wait for a slow uplink
}

// shared renews all sessions of the process, as servers may log them out after 30 minutes (RFC 2177).
var shared = renewals{interval: 29 * time.Minute, patience: time.Minute}

const renewing = 64

// schedule puts a session's next renewal at a time from now, instead of what was planned before.
func (r *renewals) schedule(s *idling, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.at = time.Now().Add(after)
	if s.position < 0 {
		heap.Push(&r.queue, s)
	} else {
		heap.Fix(&r.queue, s.position)
	}
	r.rearm()
}

// remove forgets a session.
func (r *renewals) remove(s *idling) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.position >= 0 {
		heap.Remove(&r.queue, s.position)
		r.rearm()
	}
}

// rearm sets the timer to the first renewal. The lock is held.
func (r *renewals) rearm() {
	switch {
	case r.firing: // fire rearms when it is through
	case len(r.queue) == 0 && r.timer != nil:
		r.timer.Stop()
	case len(r.queue) == 0:
	case r.timer == nil:
		r.slots = make(chan struct{}, renewing)
		r.timer = time.AfterFunc(time.Until(r.queue[0].at), r.fire)
	default:
		r.timer.Reset(time.Until(r.queue[0].at))
	}
}

// fire lets all that are due expire.
func (r *renewals) fire() {
	r.mu.Lock()
	if r.firing {
		r.mu.Unlock()
		return
	}
	r.firing = true
	r.mu.Unlock()
	for s := r.pop(); s != nil; s = r.pop() {
		r.slots <- struct{}{}
		go func() {
			s.expire()
			<-r.slots
		}()
	}
}

// pop takes out the first session if it is due; otherwise fire is through.
func (r *renewals) pop() *idling {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 || time.Until(r.queue[0].at) > 0 {
		r.firing = false
		r.rearm()
		return nil
	}
	return heap.Pop(&r.queue).(*idling)
}

// queue implements heap.Interface by time.
type queue []*idling

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].position, q[j].position = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	s := x.(*idling)
	s.position = len(*q)
	*q = append(*q, s)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.position = -1
	return s
}
