package link

import "sync"

// chunk holds what a stream has received and nobody has read yet. There are two sizes, for the answer to a command and
// for a message; a stream that is read has none.
type chunk struct {
	next       *chunk
	start, end int
	b          []byte
}

const (
	smallChunk = 1 << 10
	largeChunk = maxData
)

var (
	smallChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, largeChunk)} }}
)

func newChunk(size int) *chunk {
	if size <= smallChunk {
		return smallChunks.Get().(*chunk)
	}
	return largeChunks.Get().(*chunk)
}

func (c *chunk) free() {
	c.next, c.start, c.end = nil, 0, 0
	if len(c.b) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}

// queue is a list of chunks, oldest first. It holds at most one chunk more than its octets need.
type queue struct {
	first, last *chunk
	size        int // octets
}

// write appends a copy of b.
func (q *queue) write(b []byte) {
	q.size += len(b)
	for len(b) > 0 {
		if q.last == nil || q.last.end == len(q.last.b) {
			c := newChunk(len(b))
			if q.last == nil {
				q.first = c
			} else {
				q.last.next = c
			}
			q.last = c
		}
		n := copy(q.last.b[q.last.end:], b)
		q.last.end += n
		b = b[n:]
	}
}

// read takes up to len(b) octets.
func (q *queue) read(b []byte) (n int) {
	for n < len(b) && q.first != nil {
		c := q.first
		taken := copy(b[n:], c.b[c.start:c.end])
		c.start += taken
		n += taken
		if c.start == c.end {
			q.first = c.next
			if q.first == nil {
				q.last = nil
			}
			c.free()
		}
	}
	q.size -= n
	return n
}

// discard takes everything.
func (q *queue) discard() {
	for q.first != nil {
		c := q.first
		q.first = c.next
		c.free()
	}
	q.last, q.size = nil, 0
}
