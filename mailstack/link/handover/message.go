package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// message reads the octets of a message out of its frames. It gives io.EOF at the end frame and io.ErrUnexpectedEOF when
// the stream ends before.
type message struct {
	r     *bufio.Reader
	left  int64 // of the size limit
	piece int   // left of the frame
	ended bool  // the end frame has been read
	err   error // sticky
}

func (m *message) Read(b []byte) (int, error) {
	if m.err == nil && len(b) > 0 && m.piece == 0 {
		m.err = m.advance()
	}
	if m.err != nil || len(b) == 0 {
		return 0, m.err
	}
	n, err := m.r.Read(b[:min(len(b), m.piece)])
	m.piece -= n
	if err != nil {
		m.err = unexpected(err)
	}
	if m.left -= int64(n); m.left < 0 && m.err == nil {
		m.err = ErrTooLarge
		return 0, m.err
	}
	return n, m.err
}

// advance goes to the next frame that is not empty, or to the end.
func (m *message) advance() error {
	for m.piece == 0 {
		k, size, err := readHeader(m.r)
		switch {
		case err != nil:
			return unexpected(err)
		case k == kindEnd:
			m.ended = true
			return io.EOF
		case k != kindData || size == 0:
			return fmt.Errorf("frame within a message: found kind %c of %d octets; accepted: D with some, E", k, size)
		}
		m.piece = size
	}
	return nil
}

// drain reads what its Session has left of the message, up to limit octets.
func (m *message) drain(limit int64) error {
	if m.ended {
		return nil
	}
	if m.err != nil && !errors.Is(m.err, ErrTooLarge) {
		return m.err
	}
	m.err, m.left = nil, limit
	_, err := io.Copy(io.Discard, m)
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
