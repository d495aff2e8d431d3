package wire

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

// ErrPollerClosed is returned by Park after Close.
var ErrPollerClosed = errors.New("wire: the poller is closed")

// Poller keeps idle connections: no goroutine, no buffers, one epoll registration each (EPOLLONESHOT).
type Poller struct {
	epoll   *os.File
	control syscall.RawConn
	workers int

	mu      sync.Mutex
	changed sync.Cond       // running fell to 0
	parked  map[int32]*Conn // by descriptor
	ready   []ticket        // first in, first out; at most one valid for each parked connection
	running int             // goroutines that call onReady
	turns   int32           // Park calls, wrapping
	closed  bool
	done    chan struct{} // the goroutine that waits has ended
}

// parking is the part of a Conn that belongs to its Poller's lock.
type parking struct {
	poller     atomic.Pointer[Poller]
	registered bool
	parked     bool
	turn       int32 // the Poller's turns when it was parked: late events, even of another connection that had this descriptor, are told apart
	onReady    func()
}

// ticket is a connection that became ready in its turn.
type ticket struct {
	conn    *Conn
	turn    int32
	unasked bool // for the transport
}

// NewPoller starts a poller which calls at most workers onReady functions at a time.
func NewPoller(workers int) (*Poller, error) {
	if workers < 1 {
		return nil, fmt.Errorf("workers: found %d; accepted is 1 or more", workers)
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
	p := &Poller{epoll: epoll, control: control, workers: workers, parked: make(map[int32]*Conn), done: make(chan struct{})}
	p.changed.L = &p.mu
	go p.wait()
	return p, nil
}

// Park hands the connection over until there is something to read or the peer closed; then onReady is called once, from
// one of the poller's goroutines, and the connection is its caller's again. Data that is already here makes it be called at
// once. Buffered output is flushed first. On an error the connection stays the caller's.
func (p *Poller) Park(c *Conn, onReady func()) error {
	if err := c.Flush(); err != nil {
		return err
	}
	if c.transport.deadline.Load() != 0 {
		if err := c.SetDeadline(time.Time{}); err != nil {
			return err
		}
	}
	now := c.drain()
	c.release()

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrPollerClosed
	}
	k := &c.parking
	if other := k.poller.Load(); other != nil && other != p {
		return errors.New("wire: the connection belongs to another poller")
	}
	k.poller.Store(p)
	p.turns++
	k.turn, k.parked, k.onReady = p.turns, true, onReady
	p.parked[c.transport.fd] = c
	if now {
		p.enqueue(ticket{conn: c, turn: k.turn})
		return nil
	}
	if err := p.arm(c, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLONESHOT); err != nil {
		p.drop(c)
		return err
	}
	return nil
}

// Unpark takes the connection back. False: onReady was or is being called; the connection is its.
func (p *Poller) Unpark(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.parking.parked || c.parking.poller.Load() != p {
		return false
	}
	p.drop(c)
	if !p.closed {
		p.arm(c, unix.EPOLLONESHOT) // disarmed: a failure only costs one event that nobody waits for
	}
	return true
}

// Close ends the poller after the onReady calls under way; none begins any more. Connections that are still parked stay
// open: Unpark or Close them. It must not be called from onReady.
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
	p.ready = nil
	return err
}

// forget removes a connection that is being closed.
func (p *Poller) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.parking.parked {
		p.drop(c)
	}
}

// drop ends the connection's turn. The lock is held.
func (p *Poller) drop(c *Conn) {
	c.parking.parked, c.parking.onReady = false, nil
	delete(p.parked, c.transport.fd)
}

// arm registers the connection for events. The lock is held.
func (p *Poller) arm(c *Conn, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: c.transport.fd, Pad: c.parking.turn}
	operation := unix.EPOLL_CTL_MOD
	if !c.parking.registered {
		operation = unix.EPOLL_CTL_ADD
	}
	err := errors.ErrUnsupported
	if controlled := p.control.Control(func(fd uintptr) {
		err = unix.EpollCtl(int(fd), operation, int(c.transport.fd), &event)
	}); controlled != nil {
		return controlled
	}
	if err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	c.parking.registered = true
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
			c := p.parked[event.Fd]
			if c == nil || c.parking.turn != event.Pad {
				continue
			}
			due := ticket{c, event.Pad, true}
			if d := c.transport.arrival(); d > 0 {
				time.AfterFunc(d, func() { p.later(due) })
				continue
			}
			p.enqueue(due)
		}
		p.mu.Unlock()
	}
}

// later queues what travelled over a slow line.
func (p *Poller) later(due ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enqueue(due)
}

// enqueue has onReady called. The lock is held.
func (p *Poller) enqueue(due ticket) {
	if p.closed {
		return
	}
	p.ready = append(p.ready, due)
	if p.running < p.workers {
		p.running++
		go p.work()
	}
}

// work calls onReady functions until none is due.
func (p *Poller) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 && !p.closed {
		due := p.ready[0]
		p.ready[0] = ticket{}
		p.ready = p.ready[1:]
		k := &due.conn.parking
		if !k.parked || k.turn != due.turn {
			continue
		}
		onReady := k.onReady
		due.conn.transport.unasked = due.unasked
		p.drop(due.conn)
		p.mu.Unlock()
		onReady()
		p.mu.Lock()
	}
	p.running--
	if p.running == 0 {
		p.changed.Broadcast()
	}
}

// drain brings records that crypto/tls has received but not yet decrypted into the read buffer: epoll does not know of
// them. It reports whether there is something to read, an error included.
func (c *Conn) drain() bool {
	if c.Buffered() > 0 || c.err != nil {
		return true
	}
	if c.tls == nil {
		return false
	}
	c.transport.draining = true
	err := c.fill()
	c.transport.draining = false
	if !errors.Is(err, errWouldBlock) {
		return true
	}
	trim(c.tls)
	return false
}
