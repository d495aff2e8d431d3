package link

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A link carries frames: eight octets (what it is, three octets of length, four of the stream's number, all big-endian)
// and so many octets of payload. Streams that the gateway opens have odd numbers, those of the cell even ones; 0 is
// the session itself.
const (
	frameOpen   = iota + 1 // the stream's Header as JSON
	frameData              // what the stream carries
	frameCredit            // uint32: so many octets more may be sent
	frameEnd               // the sender sends no more on this stream
	frameStop              // the sender takes no more from this stream
	frameBack              // see Stream.Handback: what has come before was the last of the session
	framePing              // 8 octets of the sender's choice
	framePong              // the same, in return
	frameAway              // the sender takes no more new streams
)

// Bounds of frames, in octets.
const (
	frameHead  = 8
	maxData    = 16 << 10
	maxHeader  = 8 << 10
	maxPayload = maxData
)

// Bounds of what a stream may have under way in one direction, in octets. Each starts with the small one; it doubles while
// its reader keeps up, so that only those who read fast are sent much at once.
const (
	firstWindow = 32 << 10
	lastWindow  = 256 << 10
)

// errFrame reports a peer that does not keep to the rules. The session is over then.
var errFrame = errors.New("frame breaks the rules of the link")

// muxFrame is a frame as it came; payload is only valid until the next one is read.
type muxFrame struct {
	kind    byte
	stream  uint32
	payload []byte
}

// appendFrame appends a frame to b.
func appendFrame(b []byte, kind byte, stream uint32, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(kind)<<24|uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// parseFrame takes the first frame of b. size is 0 when it is not complete yet.
func parseFrame(b []byte) (f muxFrame, size int, err error) {
	if len(b) < frameHead {
		return muxFrame{}, 0, nil
	}
	head := binary.BigEndian.Uint32(b)
	f = muxFrame{kind: byte(head >> 24), stream: binary.BigEndian.Uint32(b[4:])}
	length := int(head & 0xffffff)
	if err := f.check(length); err != nil {
		return muxFrame{}, 0, err
	}
	if len(b) < frameHead+length {
		return muxFrame{}, 0, nil
	}
	f.payload = b[frameHead : frameHead+length]
	return f, frameHead + length, nil
}

// check looks at the head alone, so that what is wrong is never waited for.
func (f muxFrame) check(length int) error {
	ok := false
	switch f.kind {
	case frameOpen:
		ok = f.stream != 0 && length > 0 && length <= maxHeader
	case frameData:
		ok = f.stream != 0 && length > 0 && length <= maxData
	case frameCredit:
		ok = f.stream != 0 && length == 4
	case frameEnd, frameStop, frameBack:
		ok = f.stream != 0 && length == 0
	case framePing, framePong:
		ok = f.stream == 0 && length == 8
	case frameAway:
		ok = f.stream == 0 && length == 0
	}
	if !ok {
		return fmt.Errorf("%w: kind %d, stream %d, %d octets", errFrame, f.kind, f.stream, length)
	}
	return nil
}
