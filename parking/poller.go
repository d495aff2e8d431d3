package parking

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrClosed is returned by Park after Close.
var ErrClosed = errors.New("parking: the poller is closed")

// Poller watches parked connections: one epoll registration each (EPOLLONESHOT).
type Poller struct {
	epoll   *os.File
	control syscall.RawConn
	workers int // 0: no limit

	mu      sync.Mutex
	changed sync.Cond       // running fell to 0
	parked  map[int32]*Spot // by descriptor
	due     []ticket        // first in, first out; at most one valid for each parked connection
	running int             // goroutines that call ready
	turns   int32           // Park calls, wrapping
	closed  bool
	done    chan struct{} // the goroutine that waits has ended
}

// Spot is what a poller knows of a connection. All but the exported fields belong to its lock.
type Spot struct {
	Delay func() time.Duration // how long what came is still on its way; nil: not at all. It is called with the lock held
	Came  bool                 // ready was called because something came, not because it was there already

	poller     atomic.Pointer[Poller]
	ready      func()
	fd         int32
	turn       int32 // the poller's turns when it was parked: late events, even of another connection that had this descriptor, are told apart
	registered bool
	parked     bool
}

// ticket is a connection that became ready in its turn.
type ticket struct {
	spot *Spot
	turn int32
	came bool
}

// New starts a poller which calls at most workers ready functions at a time; 0: as many as are due.
func New(workers int) (*Poller, error) {
	if workers < 0 {
		return nil, fmt.Errorf("workers: found %d; accepted is 0 or more", workers)
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// As a non-blocking file the epoll descriptor is itself watched by the runtime's poller: waiting for it takes no thread.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	epoll := os.NewFile(uintptr(fd), "epoll")
	control, err := epoll.SyscallConn()
	if err != nil {
		epoll.Close()
		return nil, err
	}
	p := &Poller{epoll: epoll, control: control, workers: workers, parked: make(map[int32]*Spot), done: make(chan struct{})}
	p.changed.L = &p.mu
	go p.wait()
	return p, nil
}

// Park watches the connection until there is something to read or the peer closed; then ready is called once, from one of
// the poller's goroutines, and the connection is its caller's again. now: there is something already, which epoll
// cannot know of, and ready is due at once. On an error the connection stays the caller's.
func (p *Poller) Park(s *Spot, now bool, ready func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if other := s.poller.Load(); other != nil && other != p {
		return errors.New("parking: the connection belongs to another poller")
	}
	s.poller.Store(p)
	p.turns++
	s.turn, s.parked, s.ready = p.turns, true, ready
	p.parked[s.fd] = s
	if now {
		p.enqueue(ticket{spot: s, turn: s.turn})
		return nil
	}
	if err := p.arm(s, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLONESHOT); err != nil {
		p.drop(s)
		return err
	}
	return nil
}

// Unpark takes the connection back. False: it was not parked, or ready was or is being called and the connection is its.
func (p *Poller) Unpark(s *Spot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.parked || s.poller.Load() != p {
		return false
	}
	p.drop(s)
	if !p.closed {
		p.arm(s, unix.EPOLLONESHOT) // disarmed: a failure only costs one event that nobody waits for
	}
	return true
}

// Close ends the poller after the ready calls under way; none begins any more. Connections that are still parked stay
// open: Unpark or Close them. It must not be called from ready.
func (p *Poller) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	err := p.epoll.Close()
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running > 0 {
		p.changed.Wait()
	}
	p.due = nil
	return err
}

// leave forgets a connection that is being closed: ready is not called any more.
func (s *Spot) leave() {
	p := s.poller.Load()
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.parked {
		p.drop(s)
	}
}

// drop ends the connection's turn. The lock is held.
func (p *Poller) drop(s *Spot) {
	s.parked, s.ready = false, nil
	delete(p.parked, s.fd)
}

// arm registers the connection for events. The lock is held.
func (p *Poller) arm(s *Spot, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: s.fd, Pad: s.turn}
	operation := unix.EPOLL_CTL_MOD
	if !s.registered {
		operation = unix.EPOLL_CTL_ADD
	}
	err := errors.ErrUnsupported
	if controlled := p.control.Control(func(fd uintptr) {
		err = unix.EpollCtl(int(fd), operation, int(s.fd), &event)
	}); controlled != nil {
		return controlled
	}
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	s.registered = true
	return nil
}

// wait collects events until the poller is closed.
func (p *Poller) wait() {
	defer close(p.done)
	events := make([]unix.EpollEvent, 128)
	for {
		found := 0
		err := p.control.Read(func(fd uintptr) bool {
			for {
				if n, err := unix.EpollWait(int(fd), events, 0); err != unix.EINTR {
					found = n
					return n > 0
				}
			}
		})
		if err != nil {
			return
		}
		p.mu.Lock()
		for _, event := range events[:found] {
			s := p.parked[event.Fd]
			if s == nil || s.turn != event.Pad {
				continue
			}
			due := ticket{s, event.Pad, true}
			if s.Delay != nil {
				if d := s.Delay(); d > 0 {
					time.AfterFunc(d, func() { p.later(due) })
					continue
				}
			}
			p.enqueue(due)
		}
		p.mu.Unlock()
	}
}

// later queues what was still on its way.
func (p *Poller) later(due ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enqueue(due)
}

// enqueue has ready called. The lock is held.
func (p *Poller) enqueue(due ticket) {
	if p.closed {
		return
	}
	p.due = append(p.due, due)
	if p.workers == 0 || p.running < p.workers {
		p.running++
		go p.work()
	}
}

// work calls ready functions until none is due.
func (p *Poller) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.due) > 0 && !p.closed {
		t := p.due[0]
		p.due[0] = ticket{}
		p.due = p.due[1:]
		if !t.spot.parked || t.spot.turn != t.turn {
			continue
		}
		ready := t.spot.ready
		t.spot.Came = t.came
		p.drop(t.spot)
		p.mu.Unlock()
		ready()
		p.mu.Lock()
	}
	p.running--
	if p.running == 0 {
		p.changed.Broadcast()
	}
}
