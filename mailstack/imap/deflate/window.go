package deflate

import "slices"

// windowSize is how far back a stream may refer, in octets (RFC 1951, section 2).
const windowSize = 32 << 10

// window is the last octets of what was decoded. It is no larger than that until it is full.
type window struct {
	octets []byte
	next   int // when full: where the oldest octet is, and where the next one goes
}

func (w *window) write(b []byte) {
	if len(b) > windowSize {
		b = b[len(b)-windowSize:]
	}
	k := min(len(b), windowSize-len(w.octets))
	w.grow(k)
	w.octets = append(w.octets, b[:k]...)
	for b = b[k:]; len(b) > 0; b = b[k:] {
		k = copy(w.octets[w.next:], b)
		w.next = (w.next + k) % windowSize
	}
}

func (w *window) grow(n int) {
	size := len(w.octets) + n
	if size > cap(w.octets) && size > windowSize*3/4 {
		w.octets = append(make([]byte, 0, windowSize), w.octets...)
	}
	w.octets = slices.Grow(w.octets, n)
}

// read copies octets from the one that lies so far back, which must be within the window, towards the last.
func (w *window) read(p []byte, back int) int {
	from := w.next + len(w.octets) - back
	if from >= len(w.octets) {
		from -= len(w.octets)
		return copy(p, w.octets[from:w.next])
	}
	return copy(p, w.octets[from:])
}
