package telemetry

import (
	"net"
	"sync/atomic"
)

// Traffic counts the bytes of connections. The zero value is ready.
type Traffic struct{ Read, Sent atomic.Int64 }

// Traffic adds both directions to a page; with is whom the bytes were exchanged with.
func (p *Page) Traffic(t *Traffic, with string) {
	p.Total("messagerie_network_read_bytes_total", "Bytes read from "+with+".", float64(t.Read.Load()))
	p.Total("messagerie_network_sent_bytes_total", "Bytes sent to "+with+".", float64(t.Sent.Load()))
}

// Count returns c with its bytes counted.
func (t *Traffic) Count(c net.Conn) net.Conn { return &counted{c, t} }

type counted struct {
	net.Conn
	traffic *Traffic
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.Read.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.Sent.Add(int64(n))
	return n, err
}
