package wire

import "sync"

// Sizes of pooled buffers, in bytes. A line of a client is short; what is written to it is gathered into few writes.
const (
	readBuffer  = 4 << 10
	writeBuffer = 16 << 10
)

var (
	readPool  = sync.Pool{New: func() any { return new([readBuffer]byte) }}
	writePool = sync.Pool{New: func() any { return new([writeBuffer]byte) }}
)

// releaseRead gives b back unless it has grown.
func releaseRead(b []byte) {
	if cap(b) == readBuffer {
		readPool.Put((*[readBuffer]byte)(b[:readBuffer]))
	}
}

// releaseWrite gives b back unless it has grown.
func releaseWrite(b []byte) {
	if cap(b) == writeBuffer {
		writePool.Put((*[writeBuffer]byte)(b[:writeBuffer]))
	}
}
