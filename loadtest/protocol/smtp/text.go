package smtp

import (
	"bytes"
	"encoding/binary"
)

// shape is what sending a message needs to know of it.
type shape struct {
	eightBit bool // octets above 127
	dots     int  // lines that begin with a dot
	ended    bool // the last line ends in CRLF
}

// inspect reads the message once. ErrLineBreak: a line that does not end in CRLF (RFC 5321, 2.3.8); sent as it is,
// servers would disagree on where the message ends.
func inspect(message []byte) (shape, error) {
	s := shape{eightBit: eightBit(message), ended: len(message) == 0}
	for rest := message; len(rest) > 0; {
		if rest[0] == '.' {
			s.dots++
		}
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i == 0 || rest[i-1] != '\r' {
			return s, ErrLineBreak
		}
		rest = rest[i+1:]
		s.ended = len(rest) == 0
	}
	return s, nil
}

// eightBit reports whether the message has octets above 127; 32 are tested at a time.
func eightBit(message []byte) bool {
	word := binary.NativeEndian.Uint64
	for ; len(message) >= 32; message = message[32:] {
		if (word(message)|word(message[8:])|word(message[16:])|word(message[24:]))&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, octet := range message {
		if octet >= 0x80 {
			return true
		}
	}
	return false
}

var (
	finalDot  = []byte(".\r\n")
	endAndDot = []byte("\r\n.\r\n")
)

// text sends the message with its leading dots doubled (RFC 5321, 4.5.2) and the final dot. A message without leading
// dots is not copied.
func (c *Client) text(message []byte, s shape) error {
	end := endAndDot
	if s.ended {
		end = finalDot
	}
	if s.dots > 0 {
		message = stuff(make([]byte, 0, len(message)+s.dots), message)
	}
	return c.conn.Send(message, end)
}

// stuff appends the message to to, with a second dot on each line that begins with one.
func stuff(to, message []byte) []byte {
	for len(message) > 0 {
		if message[0] == '.' {
			to = append(to, '.')
		}
		line := message
		if i := bytes.IndexByte(message, '\n'); i >= 0 {
			line = message[:i+1]
		}
		to = append(to, line...)
		message = message[len(line):]
	}
	return to
}
