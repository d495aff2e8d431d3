package streams

import (
	"errors"
	"net"
	"sync"

	"gouv.tg/messagerie/mailstack/store"
)

// Conn is a stream of a link as a connection of the agent at its far end.
type Conn struct {
	net.Conn
	Account    store.Account // the authenticated account; zero where none is needed
	RemoteIP   string        // the agent's address without the port; empty if unknown
	TLSVersion string        // of the agent's connection: "1.2", "1.3" or "" for none

	remote net.Addr
	stream parker // nil: cannot be parked
	once   sync.Once
	done   chan struct{} // closed by Close; nil: nobody waits for it
}

// parker is what a link.Stream can do beside a net.Conn.
type parker interface {
	Park(ready func())
	Unpark() bool
	Buffered() int
	Handback(unread []byte) error
}

// NewConn wraps a stream. remoteAddr is the agent's ip:port; empty keeps the stream's own address.
func NewConn(stream net.Conn, remoteAddr string) *Conn {
	c := &Conn{Conn: stream, remote: stream.RemoteAddr()}
	c.stream, _ = stream.(parker)
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

// Park has ready called once, on a goroutine of its own, when Read would no longer wait: see link.Stream.Park. The connection
// is then its user's to close, whatever its handler does. Where the stream cannot be parked ready is called at once.
func (c *Conn) Park(ready func()) {
	if c.stream == nil {
		go ready()
		return
	}
	c.stream.Park(ready)
}

// Unpark takes a parked connection back. False: it was not parked, or ready was or is being called.
func (c *Conn) Unpark() bool { return c.stream != nil && c.stream.Unpark() }

// Buffered returns how many octets Read gives without waiting, as far as is known.
func (c *Conn) Buffered() int {
	if c.stream == nil {
		return 0
	}
	return c.stream.Buffered()
}

// Handback closes the connection and has the agent return to the not authenticated state (RFC 8437): see link.Stream.Handback.
// unread is what was read after the UNAUTHENTICATE command.
func (c *Conn) Handback(unread []byte) error {
	defer c.Close()
	if c.stream == nil {
		return errors.ErrUnsupported
	}
	return c.stream.Handback(unread)
}

// Close closes the stream and releases a Read that waits on it.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.done != nil {
		c.once.Do(func() { close(c.done) })
	}
	return err
}

// Serve gives the connection to the server behind the listener and waits until that has closed it.
func (l *Listener) Serve(c *Conn) error {
	c.done = make(chan struct{})
	if err := l.Push(c); err != nil {
		_ = c.Close()
		return err
	}
	<-c.done
	return nil
}
