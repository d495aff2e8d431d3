package deflate

import (
	"io"
	"sync"
)

// Reader decompresses a stream. It is for one goroutine at a time.
type Reader struct {
	src io.Reader
	err error // lasts: the stream is corrupt or has ended

	in     []byte                         // what has come and is not decoded
	pooled *[inputSize]byte               // where in is, if that is from the pool
	bits   uint64                         // what comes before in, the next bit lowest
	nbits  uint                           // how many bits there are
	window window                         // what was decoded
	block  block                          // the one that is read
	match  struct{ length, distance int } // what is left of one to be copied
	ending bool                           // see End
	barren int                            // octets that came since the last one that was decoded
}

// inputSize is how much is read at a time, in octets.
const inputSize = 4 << 10

var inputs = sync.Pool{New: func() any { return new([inputSize]byte) }}

const (
	// maxEmptyReads bounds reads that give neither octets nor an error.
	maxEmptyReads = 100
	// maxBarren bounds what comes and decodes to nothing, in octets: the head of a block has some 300 at most.
	maxBarren = 64 << 10
)

// NewReader returns a Reader of a stream that begins with head, which it keeps, and goes on with what src gives.
func NewReader(src io.Reader, head []byte) *Reader {
	return &Reader{src: src, in: head}
}

// Read implements io.Reader. It returns what can be decoded at once and reads from the source only if that is nothing. An
// error of the source does not last: after a deadline has passed reading can go on. io.EOF means that the stream was ended
// by its last block, or the source between two blocks.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n, _ := r.decode(p); n > 0 {
			return n, nil
		}
		if r.err != nil {
			return 0, r.err
		}
		if err := r.Fill(); err != nil {
			return 0, err
		}
	}
}

// Ready tells whether Read returns without reading from the source. If not, all that has come is decoded and read.
func (r *Reader) Ready() bool {
	_, enough := r.decode(nil)
	return enough || r.err != nil
}

// Fill reads from the source, once if that gives something. It is for a Reader that is not Ready, when it is known that the
// source does not wait.
func (r *Reader) Fill() error {
	if r.pooled == nil {
		r.pooled = inputs.Get().(*[inputSize]byte)
	}
	for range maxEmptyReads {
		n, err := r.src.Read(r.pooled[:])
		if n > 0 {
			r.in = r.pooled[:n]
			if r.barren += n; r.barren > maxBarren {
				r.err = errBarren
			}
			return nil
		}
		if err != nil {
			r.release()
			if err == io.EOF && r.block.state != blockHeader {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	r.release()
	return io.ErrNoProgress
}

// release gives the buffer back when all of it is used.
func (r *Reader) release() {
	if len(r.in) > 0 {
		return
	}
	r.in = nil
	if r.pooled != nil {
		inputs.Put(r.pooled)
		r.pooled = nil
	}
}

// decode decodes into p what has come: at most to the end of a block, so that what is read and what is yet to be decoded
// never share a block with what follows a flush. enough tells that p is full and more could be decoded.
func (r *Reader) decode(p []byte) (n int, enough bool) {
	if r.err == nil {
		if n, r.err = r.decodeBlocks(p); n > 0 {
			r.barren = 0
		}
		r.window.write(p[:n])
		r.release()
	}
	switch r.err {
	case errRoom:
		enough, r.err = true, nil
	case errInput:
		r.err = nil
	}
	return n, enough
}

// End ends the stream, by an agreement outside of it, at the point where its sender has flushed it after the last octet
// that was read, or ended it. It returns what the source gave beyond that; octets of the stream are an error.
func (r *Reader) End() (rest []byte, err error) {
	r.ending = true
	for !r.Ready() {
		if err := r.Fill(); err != nil {
			return nil, err
		}
	}
	if r.err == nil {
		r.err = errOctetsAtEnd
	}
	if r.err != io.EOF {
		return nil, r.err
	}
	for ; r.nbits > 0; r.nbits -= 8 {
		rest = append(rest, byte(r.bits))
		r.bits >>= 8
	}
	rest = append(rest, r.in...)
	r.in = nil
	r.release()
	return rest, nil
}
