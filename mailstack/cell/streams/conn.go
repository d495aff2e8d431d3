package streams

import (
	"net"
	"sync"
	"time"

	"gouv.tg/messagerie/mailstack/store"
)

// Conn is a stream of a link as a connection of the agent at its far end.
type Conn struct {
	net.Conn
	Account    store.Account // the authenticated account; zero where none is needed
	RemoteIP   string        // the agent's address without the port; empty if unknown
	TLSVersion string        // of the agent's connection: "1.2", "1.3" or "" for none

	remote net.Addr
	once   sync.Once
	done   chan struct{}
}

// NewConn wraps a stream. remoteAddr is the agent's ip:port; empty keeps the stream's own address.
func NewConn(stream net.Conn, remoteAddr string) *Conn {
	c := &Conn{Conn: stream, remote: stream.RemoteAddr(), done: make(chan struct{})}
	if remoteAddr != "" {
		c.remote = addr(remoteAddr)
		c.RemoteIP = remoteAddr
		if host, _, err := net.SplitHostPort(remoteAddr); err == nil {
			c.RemoteIP = host
		}
	}
	return c
}

// RemoteAddr is the agent's address, not the gateway's.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Close closes the stream and releases a Read that waits on it: a stream of its own accord only closes its sending half.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
		close(c.done)
	})
	return err
}

// Done is closed by Close.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Serve gives the connection to the server behind the listener and waits until that has closed it.
func (l *Listener) Serve(c *Conn) error {
	if err := l.Push(c); err != nil {
		_ = c.Close()
		return err
	}
	<-c.Done()
	return nil
}
