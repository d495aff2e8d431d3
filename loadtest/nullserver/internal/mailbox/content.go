package mailbox

import "bytes"

// MaxHeader is how much of a header, in bytes, is kept of a message that is thrown away.
const MaxHeader = 16 << 10

// Content is an immutable message, shared by its copies. What was thrown away of it reads as filler.
type Content struct {
	raw    []byte
	header int // length of the header, its empty line included
	size   int64
}

// Size is the message's length in bytes.
func (c *Content) Size() int64 { return c.size }

// Header is the header with its empty line.
func (c *Content) Header() []byte { return c.raw[:c.header] }

// Kept is what is there of the message: all of it, or its header.
func (c *Content) Kept() []byte { return c.raw }

const fillerLine = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"

var filler = bytes.Repeat([]byte(fillerLine), 64)

// Append appends the bytes [from, to) of the message to dst; to is at most Size.
func (c *Content) Append(dst []byte, from, to int64) []byte {
	if kept := int64(len(c.raw)); from < kept {
		end := min(to, kept)
		dst = append(dst, c.raw[from:end]...)
		from = end
	}
	for from < to {
		start := from % int64(len(fillerLine))
		n := min(to-from, int64(len(filler))-start)
		dst = append(dst, filler[start:start+n]...)
		from += n
	}
	return dst
}

// Collector takes a message piece by piece. With Keep it holds all of it, otherwise its header, up to MaxHeader.
type Collector struct {
	Keep   bool
	raw    []byte
	header int // 0: not yet seen
	size   int64
}

// Take appends a piece.
func (c *Collector) Take(p []byte) {
	c.size += int64(len(p))
	if c.header > 0 && !c.Keep {
		return
	}
	if c.header > 0 {
		c.raw = append(c.raw, p...)
		return
	}
	if !c.Keep {
		p = p[:min(len(p), MaxHeader-len(c.raw))]
	}
	from := max(0, len(c.raw)-3)
	c.raw = append(c.raw, p...)
	if bytes.HasPrefix(c.raw, []byte("\r\n")) {
		c.header = 2
	} else if i := bytes.Index(c.raw[from:], []byte("\r\n\r\n")); i >= 0 {
		c.header = from + i + 4
	} else if !c.Keep && len(c.raw) == MaxHeader {
		c.header = MaxHeader
	}
	if c.header > 0 && !c.Keep {
		c.raw = c.raw[:c.header]
	}
}

// Size is the number of bytes taken.
func (c *Collector) Size() int64 { return c.size }

// Content ends the message.
func (c *Collector) Content() *Content {
	header := c.header
	if header == 0 {
		header = len(c.raw) // no empty line: all header
	}
	return &Content{raw: bytes.Clone(c.raw), header: header, size: c.size}
}
