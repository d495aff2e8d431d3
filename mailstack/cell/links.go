package cell

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"gouv.tg/messagerie/mailstack/link"
)

var errNoGateway = errors.New("no gateway is connected")

// links are the gateways that are connected, the newest last. It is how mail leaves for other cells.
type links struct {
	mu         sync.Mutex
	sessions   []*link.Session
	generation uint64
	changed    chan struct{}
}

func newLinks() *links { return &links{changed: make(chan struct{})} }

func (l *links) add(s *link.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions = append(l.sessions, s)
	l.generation++
	l.notify()
}

func (l *links) remove(s *link.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.sessions, s); i >= 0 {
		l.sessions = slices.Delete(l.sessions, i, i+1)
	}
	l.notify()
}

func (l *links) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Connected implements queue.Gateways.
func (l *links) Connected() (generation uint64, up bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generation, len(l.sessions) > 0, l.changed
}

func (l *links) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// OpenRelay implements queue.Gateways and smtp.Relay: the newest link first, because an older one may be dead
// without knowing it yet.
func (l *links) OpenRelay(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	sessions := slices.Clone(l.sessions)
	l.mu.Unlock()
	err := errNoGateway
	for _, s := range slices.Backward(sessions) {
		if s.Err() != nil {
			continue
		}
		var conn net.Conn
		if conn, err = open(ctx, s); err == nil || ctx.Err() != nil {
			return conn, err
		}
	}
	return nil, err
}

// open opens a relay stream but does not wait for it longer than ctx: a peer that accepts nothing blocks the opening.
func open(ctx context.Context, s *link.Session) (net.Conn, error) {
	type result struct {
		stream *link.Stream
		err    error
	}
	done := make(chan result, 1)
	go func() {
		stream, err := s.Open(link.Header{Protocol: link.ProtocolRelay})
		done <- result{stream, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return r.stream, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.stream.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
