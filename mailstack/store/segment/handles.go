package segment

import (
	"os"
	"sync"
)

// maxHandles bounds the files that are kept open for reading.
const maxHandles = 64

// handles are the files open for reading. A file that was removed stays readable for those who have it.
type handles struct {
	mu     sync.Mutex
	kept   map[uint32]*handle
	clock  int64
	closed bool
}

type handle struct {
	number uint32
	file   *os.File
	users  int
	used   int64 // when it was last acquired
	kept   bool  // else it is closed by its last user
}

// acquire opens a segment or takes the file that is open already. Files are opened under the lock, so that forget
// leaves nobody behind who is about to keep a removed one.
func (c *handles) acquire(number uint32, path func(uint32) string) (*handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.kept[number]
	switch {
	case c.closed:
		return nil, os.ErrClosed
	case h == nil:
		f, err := os.Open(path(number))
		if err != nil {
			return nil, err
		}
		h = &handle{number: number, file: f}
		c.keep(h)
	}
	c.clock++
	h.users++
	h.used = c.clock
	return h, nil
}

func (c *handles) keep(h *handle) {
	if c.kept == nil {
		c.kept = make(map[uint32]*handle)
	}
	if len(c.kept) >= maxHandles {
		var oldest *handle
		for _, k := range c.kept {
			if oldest == nil || k.used < oldest.used {
				oldest = k
			}
		}
		c.drop(oldest)
	}
	h.kept = true
	c.kept[h.number] = h
}

// drop stops keeping a file. Nothing is lost with one that was only read.
func (c *handles) drop(h *handle) {
	h.kept = false
	delete(c.kept, h.number)
	if h.users == 0 {
		_ = h.file.Close()
	}
}

// release is called once for each acquire.
func (c *handles) release(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.users--; h.users == 0 && !h.kept {
		_ = h.file.Close()
	}
}

// forget stops keeping a segment's file after its removal.
func (c *handles) forget(number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.kept[number]; h != nil {
		c.drop(h)
	}
}

// close stops keeping any file.
func (c *handles) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, h := range c.kept {
		c.drop(h)
	}
}
