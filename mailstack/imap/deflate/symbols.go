package deflate

import "encoding/binary"

const (
	maxMatch = 258 // octets

	// While there is so much room and input, this many literals and a match are decoded without looking whether there is. A
	// match may be followed by octets that are written and do not count.
	fastLiterals = 3
	fastRoom     = fastLiterals + maxMatch + 8
	fastInput    = 16
)

// symbols decodes symbols of a compressed block into p from n on (RFC 1951, section 3.2.3).
func (r *Reader) symbols(p []byte, n int) (int, error) {
	n = r.copyMatch(p, n)
	for {
		if len(p)-n >= fastRoom && len(r.in) >= fastInput {
			var err error
			if n, err = r.fast(p, n); err != nil || r.block.state == blockEnd {
				return n, err
			}
		}
		if r.match.length > 0 {
			return n, errRoom
		}
		e, err := r.symbol()
		switch {
		case err != nil:
			return n, err
		case e.isEnd():
			r.take(e.length())
			r.block.state = blockEnd
			return n, nil
		case e.kind() == kindLiteral:
			if n == len(p) {
				return n, errRoom
			}
			r.take(e.length())
			p[n] = e.literal()
			n++
		default:
			if err := r.takeMatch(e, n); err != nil {
				return n, err
			}
			n = r.copyMatch(p, n)
		}
	}
}

// symbol returns the next literal or length, which is yet to be taken.
func (r *Reader) symbol() (entry, error) {
	r.need(48) // or what there is: a match has no more
	t := r.block.tables
	e := t.literal[r.bits&t.literals.mask]
	if e.kind() == kindTable {
		e = t.literal[e.value()+uint(r.bits>>t.literals.index&(1<<e.extra()-1))]
	}
	if e.length() > r.nbits {
		return 0, errInput
	}
	if e.kind() == kindOther && !e.isEnd() {
		return 0, errSymbol
	}
	return e, nil
}

// takeMatch takes a length and its distance, or nothing at all, when so many octets have been decoded beyond the window.
func (r *Reader) takeMatch(e entry, n int) error {
	t := r.block.tables
	width := e.length() + e.extra()
	if width > r.nbits {
		return errInput
	}
	rest := r.bits >> width
	d := t.distance[rest&t.distances.mask]
	if d.kind() == kindTable {
		d = t.distance[d.value()+uint(rest>>t.distances.index&(1<<d.extra()-1))]
	}
	switch {
	case width+d.length() > r.nbits:
		return errInput
	case d.kind() != kindMatch:
		return errSymbol
	case width+d.length()+d.extra() > r.nbits:
		return errInput
	}
	r.take(e.length())
	length := int(e.value()) + r.take(e.extra())
	r.take(d.length())
	distance := int(d.value()) + r.take(d.extra())
	if distance > n+len(r.window.octets) {
		return errDistance
	}
	r.match.length, r.match.distance = length, distance
	return nil
}

// copyMatch copies what there is room for of what is left of a match.
func (r *Reader) copyMatch(p []byte, n int) int {
	m := &r.match
	for m.length > 0 && n < len(p) {
		to := p[n:min(len(p), n+m.length)]
		var k int
		if m.distance > n {
			k = r.window.read(to[:min(len(to), m.distance-n)], m.distance-n)
		} else {
			k = copy(to, p[n-m.distance:n])
		}
		n += k
		m.length -= k
	}
	return n
}

// fast is symbols while there are fastRoom and fastInput.
func (r *Reader) fast(p []byte, n int) (int, error) {
	t := r.block.tables
	literals, distances := t.literals, t.distances
	in, bits, nbits := r.in, r.bits, r.nbits
	var err error
loop:
	for len(p)-n >= fastRoom && len(in) >= fastInput {
		bits |= binary.LittleEndian.Uint64(in) << (nbits & 63)
		in = in[(63-nbits)>>3:]
		nbits |= 56

		e := t.literal[bits&literals.mask]
		for range fastLiterals { // of at most 15 bits each
			if e.kind() == kindTable {
				e = t.literal[e.value()+uint(bits>>(literals.index&63))&(1<<e.extra()-1)]
			}
			if e.kind() != kindLiteral {
				break
			}
			bits >>= e.length()
			nbits -= e.length()
			p[n] = e.literal()
			n++
			e = t.literal[bits&literals.mask]
		}
		if e.kind() != kindMatch {
			switch {
			case e.kind() != kindOther:
				continue
			case e.isEnd():
				bits >>= e.length()
				nbits -= e.length()
				r.block.state = blockEnd
			default:
				err = errSymbol
			}
			break loop
		}
		if nbits < 48 {
			bits |= binary.LittleEndian.Uint64(in) << (nbits & 63)
			in = in[(63-nbits)>>3:]
			nbits |= 56
		}
		bits >>= e.length()
		length := int(e.value() + uint(bits)&(1<<e.extra()-1))
		bits >>= e.extra()
		nbits -= e.length() + e.extra()
		e = t.distance[bits&distances.mask]
		if e.kind() == kindTable {
			e = t.distance[e.value()+uint(bits>>(distances.index&63))&(1<<e.extra()-1)]
		}
		if e.kind() != kindMatch {
			err = errSymbol
			break
		}
		bits >>= e.length()
		distance := int(e.value() + uint(bits)&(1<<e.extra()-1))
		bits >>= e.extra()
		nbits -= e.length() + e.extra()

		if distance > n {
			if distance > n+len(r.window.octets) {
				err = errDistance
				break
			}
			r.match.length, r.match.distance = length, distance
			n = r.copyMatch(p, n)
			continue
		}
		n = copyWithin(p, n, distance, length)
	}
	r.in, r.bits, r.nbits = in, bits&(1<<nbits-1), nbits
	return n, err
}

// copyWithin copies a match that begins within p. It may write to the 7 octets behind it.
func copyWithin(p []byte, n, distance, length int) int {
	end := n + length
	if distance < 8 {
		for ; n < end; n++ {
			p[n] = p[n-distance]
		}
		return end
	}
	for ; n < end; n += 8 {
		binary.LittleEndian.PutUint64(p[n:], binary.LittleEndian.Uint64(p[n-distance:]))
	}
	return end
}
