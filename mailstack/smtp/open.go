package smtp

import (
	"net"
	"sync"

	"gouv.tg/messagerie/mailstack/cell/streams"
	"gouv.tg/messagerie/mailstack/link/handover"
)

// open are the streams of deliveries, to be ended when the server closes. The zero value is ready.
type open struct {
	mu     sync.Mutex
	conns  map[*streams.Conn]struct{}
	closed bool
}

func (o *open) add(c *streams.Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if o.conns == nil {
		o.conns = map[*streams.Conn]struct{}{}
	}
	o.conns[c] = struct{}{}
	return true
}

func (o *open) remove(c *streams.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, c)
}

func (o *open) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		_ = c.Close()
	}
}

// HandleDelivery serves one stream of deliveries (see package handover) and returns when it is over.
func (s *Server) HandleDelivery(c *streams.Conn) error {
	defer c.Close()
	if !s.deliveries.add(c) {
		return net.ErrClosed
	}
	defer s.deliveries.remove(c)
	s.sessions.Add(1)
	defer s.sessions.Add(-1)
	limits := handover.Limits{Octets: s.options.MaxMessageBytes + traceAllowance, Recipients: s.options.MaxRecipients}
	return handover.Serve(c, &delivery{server: s}, limits)
}
