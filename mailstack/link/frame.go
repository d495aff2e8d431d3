package link

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxFrame is the largest payload of a frame, in bytes.
const MaxFrame = 64 << 10

// ErrFrameTooLarge reports a frame over MaxFrame, sent or received.
var ErrFrameTooLarge = errors.New("frame is larger than 64 KiB")

// WriteFrame writes v as one frame: a big-endian uint32 length, then JSON.
func WriteFrame(w io.Writer, v any) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot encode frame: %w", err)
	}
	frame := b.Bytes()
	size := len(frame) - 4
	if size > MaxFrame {
		return ErrFrameTooLarge
	}
	binary.BigEndian.PutUint32(frame, uint32(size))
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("cannot write frame: %w", err)
	}
	return nil
}

// ReadFrame reads one frame into v. It reads not one byte beyond the frame, so that another protocol may follow.
// A stream that ends before the first byte gives io.EOF; fields that v does not know are ignored, so that
// the two sides may be of different versions during an update.
func ReadFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("cannot read frame: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return ErrFrameTooLarge
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("cannot read frame: %w", err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("cannot decode frame: %w", err)
	}
	return nil
}
