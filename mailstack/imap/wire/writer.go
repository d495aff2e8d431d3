package wire

import (
	"io"
	"strconv"
)

// Writer writes the tokens of responses. It is for one goroutine at a time. An error of its destination is kept: what is
// written afterwards is dropped, and Flush returns it.
type Writer struct {
	// UTF8 tells that the client enabled IMAP4rev2 or UTF8=ACCEPT: quoted strings and names of mailboxes are UTF-8
	// (RFC 6855, section 3; RFC 9051, section 5.1).
	UTF8 bool

	dst io.Writer
	buf []byte // from the pool; nil while nothing is buffered
	err error
}

// NewWriter returns a Writer to a client.
func NewWriter(dst io.Writer) *Writer {
	return &Writer{dst: dst}
}

// Reset makes the Writer write to dst. What is buffered must have been flushed.
func (w *Writer) Reset(dst io.Writer) {
	w.dst, w.err = dst, nil
	w.release()
}

// Flush writes what is buffered, gives the buffer back and returns the first error since Reset.
func (w *Writer) Flush() error {
	w.drain()
	w.release()
	return w.err
}

// Err returns the first error since Reset.
func (w *Writer) Err() error { return w.err }

// Buffered returns how many bytes wait for Flush.
func (w *Writer) Buffered() int { return len(w.buf) }

func (w *Writer) release() {
	if w.buf != nil {
		releaseWrite(w.buf)
		w.buf = nil
	}
}

// drain writes what is buffered and keeps the buffer.
func (w *Writer) drain() {
	if len(w.buf) > 0 && w.err == nil {
		_, w.err = w.dst.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// room makes room for n bytes, which are not more than a buffer has.
func (w *Writer) room(n int) {
	if len(w.buf)+n > cap(w.buf) {
		w.makeRoom()
	}
}

func (w *Writer) makeRoom() {
	if w.buf == nil {
		w.buf = writePool.Get().(*[writeBuffer]byte)[:0]
	}
	w.drain()
}

// Raw writes s as it is: atoms, words of the grammar and what was formatted before.
func (w *Writer) Raw(s string) {
	for len(s) > writeBuffer {
		w.room(writeBuffer)
		w.buf = append(w.buf, s[:writeBuffer]...)
		s = s[writeBuffer:]
	}
	w.room(len(s))
	w.buf = append(w.buf, s...)
}

// Bytes writes b as it is. Much is written without copying it.
func (w *Writer) Bytes(b []byte) {
	if len(b) >= writeBuffer {
		w.drain()
		if w.err == nil {
			_, w.err = w.dst.Write(b)
		}
		return
	}
	w.room(len(b))
	w.buf = append(w.buf, b...)
}

// Byte writes c.
func (w *Writer) Byte(c byte) {
	w.room(1)
	w.buf = append(w.buf, c)
}

// SP writes a space.
func (w *Writer) SP() { w.Byte(' ') }

// CRLF ends a response.
func (w *Writer) CRLF() { w.Raw("\r\n") }

// Nil writes NIL.
func (w *Writer) Nil() { w.Raw("NIL") }

// Number writes n in decimal.
func (w *Writer) Number(n uint64) {
	w.room(20)
	w.buf = strconv.AppendUint(w.buf, n, 10)
}

// Literal writes a literal of size bytes of src. A source that ends before them leaves the client waiting for the rest: the
// error is kept, and the connection must end.
func (w *Writer) Literal(size int64, src io.Reader) {
	w.literal(size)
	for size > 0 && w.err == nil {
		if len(w.buf) == cap(w.buf) {
			w.drain()
		}
		free := w.buf[len(w.buf):cap(w.buf)]
		n, err := read(src, free[:min(int64(len(free)), size)])
		if err != nil {
			w.err = unexpected(err)
		}
		w.buf = w.buf[:len(w.buf)+n]
		size -= int64(n)
	}
}

// Literal8 is Literal for bytes that may contain NUL (RFC 3516, section 4.4).
func (w *Writer) Literal8(size int64, src io.Reader) {
	w.Byte('~')
	w.Literal(size, src)
}

// LiteralBytes writes b as a literal.
func (w *Writer) LiteralBytes(b []byte) {
	w.literal(int64(len(b)))
	w.Bytes(b)
}

// LiteralBytes8 writes b, which may contain NUL, as a literal8 (RFC 3516, section 4.4).
func (w *Writer) LiteralBytes8(b []byte) {
	w.Byte('~')
	w.LiteralBytes(b)
}

// literal writes the head of a literal.
func (w *Writer) literal(size int64) {
	w.Byte('{')
	w.Number(uint64(size))
	w.Raw("}\r\n")
}
