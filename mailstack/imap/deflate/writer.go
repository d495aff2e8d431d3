package deflate

import (
	"bytes"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// historySize is how many octets of what it has written a Writer refers to later. Responses of a hundred octets shrink
	// to a third with 2 KiB of it, to a quarter with all there ever was, and hardly at all without it.
	historySize = 2 << 10
	// pieceSize is how many octets are compressed at a time.
	pieceSize = 32 << 10
	// shortPiece is below how many octets it does not pay to make a compressor ready.
	shortPiece = 1 << 10
	// level is the first that chooses among several matches. It makes a fifth less of mail than the faster ones, of some
	// 70 MB/s on one processor.
	level = 7
)

// Writer compresses a stream. Each Write is flushed: the peer can read all of it. It keeps historySize octets, and nothing
// else between one Write and the next. It is for one goroutine at a time.
type Writer struct {
	dst     io.Writer
	history []byte
}

// NewWriter returns a Writer of a stream to dst, at its beginning.
func NewWriter(dst io.Writer) *Writer {
	return &Writer{dst: dst}
}

// Write implements io.Writer. It writes blocks to the destination, the last of which is stored and empty.
func (w *Writer) Write(b []byte) (n int, err error) {
	out := outputs.Get().(*bytes.Buffer)
	defer outputs.Put(out)
	for n < len(b) {
		piece := b[n:min(len(b), n+pieceSize)]
		out.Reset()
		if err := compress(out, piece, w.history); err != nil {
			return n, err
		}
		w.remember(piece)
		if _, err := w.dst.Write(out.Bytes()); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

func (w *Writer) remember(piece []byte) {
	if w.history == nil {
		w.history = make([]byte, 0, historySize)
	}
	piece = piece[max(0, len(piece)-historySize):]
	if excess := len(w.history) + len(piece) - historySize; excess > 0 {
		w.history = w.history[:copy(w.history, w.history[excess:])]
	}
	w.history = append(w.history, piece...)
}

// A compressor takes a megabyte. There are no more of them than can work at once; each is free again before anything is
// written to a connection.
var (
	compressors = sync.Pool{New: func() any {
		c, err := flate.NewWriter(nil, level)
		if err != nil {
			panic(err) // there is no such level
		}
		return c
	}}
	working = make(chan struct{}, runtime.GOMAXPROCS(0))
	outputs = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

// compress appends the blocks of a piece that comes after this history.
func compress(out *bytes.Buffer, piece, history []byte) error {
	working <- struct{}{}
	defer func() { <-working }()
	if len(piece) < shortPiece {
		return flate.StatelessDeflate(out, piece, false, history)
	}
	c := compressors.Get().(*flate.Writer)
	defer compressors.Put(c)
	c.ResetDict(out, history)
	if _, err := c.Write(piece); err != nil {
		return err
	}
	return c.Flush()
}
