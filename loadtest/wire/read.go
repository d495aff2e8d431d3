package wire

import (
	"bytes"
	"errors"
	"io"

	"gouv.tg/messagerie/parking"
)

// ReadLine returns one line without its CRLF (a bare LF is accepted). The slice is valid until the next read.
// Errors: io.EOF, io.ErrUnexpectedEOF (within a line), ErrLineTooLong, a timeout (see Timeout) or the network's.
func (c *Conn) ReadLine() ([]byte, error) {
	c.long = c.long[:0]
	scanned := 0
	for {
		if i := bytes.IndexByte(c.buffered()[scanned:], '\n'); i >= 0 {
			line := c.take(scanned + i + 1)
			if len(c.long)+len(line) > MaxLine+2 {
				return nil, ErrLineTooLong
			}
			if len(c.long) > 0 {
				c.long = append(c.long, line...)
				line = c.long
			}
			line = bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'})
			c.log.line("S: ", line)
			return line, nil
		}
		scanned = c.end - c.start
		if scanned == ReadBuffer {
			c.long = append(c.long, c.take(scanned)...)
			scanned = 0
			if len(c.long) > MaxLine {
				return nil, ErrLineTooLong
			}
		}
		if err := c.fill(); err != nil {
			if err == io.EOF && (scanned > 0 || len(c.long) > 0) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// Read reads what is buffered first, then from the connection. Large reads bypass the buffer.
func (c *Conn) Read(p []byte) (int, error) {
	if c.Buffered() == 0 {
		if len(p) >= ReadBuffer {
			return c.receive(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buffered())
	c.take(n)
	return n, nil
}

// Buffered returns the number of octets that the next reads return without the network.
func (c *Conn) Buffered() int { return c.end - c.start }

func (c *Conn) buffered() []byte {
	if c.in == nil {
		return nil
	}
	return c.in[c.start:c.end]
}

// take consumes n buffered octets and returns them.
func (c *Conn) take(n int) []byte {
	taken := c.in[c.start : c.start+n]
	c.start += n
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	return taken
}

// fill adds to the buffer; there must be room in it.
func (c *Conn) fill() error {
	if c.in == nil {
		c.in = readBuffers.Get().(*[ReadBuffer]byte)
	}
	if c.start > 0 {
		c.end = copy(c.in[:], c.in[c.start:c.end])
		c.start = 0
	}
	n, err := c.receive(c.in[c.end:])
	c.end += n
	return err
}

// receive reads at least one octet or fails.
func (c *Conn) receive(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	var reader io.Reader = &c.transport
	if c.tls != nil {
		reader = c.tls
	}
	for {
		n, err := reader.Read(p)
		if err != nil && !Timeout(err) && !errors.Is(err, parking.ErrWouldBlock) {
			c.err = err
		}
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
