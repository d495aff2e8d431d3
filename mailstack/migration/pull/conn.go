package pull

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// patience is how long the source may be silent while it is asked for something.
const patience = 2 * time.Minute

// ErrFlood means that the source has sent much more than it was asked for.
var ErrFlood = errors.New("the source sends more than it was asked for")

// conn bounds a connection to the source: in silence, and in bytes for each command.
type conn struct {
	net.Conn
	asked  atomic.Bool  // an answer is waited for
	budget atomic.Int64 // bytes that may still come
}

// ask begins a command whose answer has at most so many bytes; the function that it returns ends it.
func (c *conn) ask(bytes int64) func() {
	c.budget.Store(bytes)
	c.asked.Store(true)
	return func() { c.asked.Store(false) }
}

// Read implements net.Conn. Silence ends the connection only while something was asked for.
func (c *conn) Read(b []byte) (int, error) {
	for {
		if err := c.Conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(b)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			if !c.asked.Load() {
				continue
			}
			err = fmt.Errorf("the source was silent for %v: %w", patience, err)
		}
		if n > 0 && c.budget.Add(-int64(n)) < 0 {
			return 0, ErrFlood
		}
		return n, err
	}
}

// SetReadDeadline does nothing: the client's deadlines do not know what was asked for.
func (c *conn) SetReadDeadline(time.Time) error { return nil }
