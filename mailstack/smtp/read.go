package smtp

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Sizes of the memory that a message is read into. Most fit what is kept for the next one.
const (
	firstBuffer = 16 << 10
	keptBuffer  = 128 << 10
)

var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, firstBuffer)) }}

// giveBack keeps memory that nobody refers to any more.
func giveBack(buffer *[]byte) {
	if cap(*buffer) <= keptBuffer {
		buffers.Put(buffer)
	}
}

// read appends a message to buffer, with a bound on how many large ones there are at once. hint is its size as announced.
func (s *Server) read(ctx context.Context, r io.Reader, buffer []byte, hint int64) ([]byte, error) {
	if want := min(len(buffer)+int(hint)+512, largeMessage); want > cap(buffer) {
		buffer = append(make([]byte, 0, want), buffer...)
	}
	var held bool
	defer func() {
		if held {
			<-s.large
		}
	}()
	for {
		if len(buffer) == cap(buffer) {
			if !held && len(buffer) >= largeMessage {
				select {
				case s.large <- struct{}{}:
					held = true
				case <-ctx.Done():
					return nil, errBusy
				}
			}
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
