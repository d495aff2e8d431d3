package smtp

import (
	"bytes"

	"gouv.tg/messagerie/loadtest/nullserver/internal/line"
)

// Where a reader of DATA is.
const (
	atStart  = iota // of a line
	afterDot        // at the start of a line
	afterDotCR
	afterCR
	inLine
)

// readDots reads the text of a message up to the line with a dot alone and gives it to take in pieces, stuffed dots removed (RFC 5321,
// 4.5.2). Only CRLF ends a line: a lone LF or CR is text, so that no message can be hidden within another (SMTP smuggling).
func readDots(c *line.Conn, take func(p []byte)) error {
	state := atStart
	for {
		p, err := c.Peek()
		if err != nil {
			return err
		}
		for i := 0; i < len(p); {
			switch b := p[i]; {
			case state == atStart && b == '.':
				state, i = afterDot, i+1
			case state == afterDot && b == '\r':
				state, i = afterDotCR, i+1
			case state == afterDotCR && b == '\n':
				c.Skip(i + 1)
				return nil
			case state == afterDotCR:
				take([]byte{'\r'})
				state = inLine
			case state == afterCR && b == '\n':
				take(p[i : i+1])
				state, i = atStart, i+1
			default:
				var n int
				n, state = text(p[i:])
				take(p[i : i+n])
				i += n
			}
		}
		c.Skip(len(p))
	}
}

// text returns how many bytes of p, which begins within a line, come before the next line that begins with a dot, and the state there.
func text(p []byte) (n, state int) {
	if i := bytes.Index(p, []byte("\r\n.")); i >= 0 {
		return i + 2, atStart
	}
	switch {
	case bytes.HasSuffix(p, []byte("\r\n")):
		return len(p), atStart
	case p[len(p)-1] == '\r':
		return len(p), afterCR
	}
	return len(p), inLine
}
