// Package streams hands connections that arrive over a link to servers that want a net.Listener.
package streams

import (
	"net"
	"sync"
)

// Listener is a net.Listener whose connections are given to it with Push. The zero value is not usable; see NewListener.
type Listener struct {
	name  string
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewListener returns a listener that calls itself name in its address.
func NewListener(name string) *Listener {
	return &Listener{name: name, conns: make(chan net.Conn), done: make(chan struct{})}
}

// Push waits until the server takes the connection. It returns net.ErrClosed after Close; the connection then
// still belongs to the caller.
func (l *Listener) Push(c net.Conn) error {
	select {
	case l.conns <- c:
		return nil
	case <-l.done:
		return net.ErrClosed
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It may be called more than once.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return addr(l.name) }

type addr string

func (addr) Network() string  { return "link" }
func (a addr) String() string { return string(a) }
