package mime

import "bytes"

// Needle is a string to be searched for.
type Needle struct {
	folded []byte
	rare   int // index of the byte that folded text has least often
	body   bool
}

// NewNeedle makes a needle of a string in UTF-8. IMAP's BODY looks in the body only, TEXT in header and body (RFC 9051, 6.4.4).
func NewNeedle(s string, bodyOnly bool) Needle {
	n := Needle{folded: Fold(nil, []byte(s)), body: bodyOnly}
	for i, c := range n.folded {
		if frequency(c) < frequency(n.folded[n.rare]) {
			n.rare = i
		}
	}
	return n
}

// Folded is the string as Fold makes it. It must not be changed.
func (n *Needle) Folded() []byte { return n.folded }

// frequency ranks bytes of folded text, the higher the more often. Only speed depends on it.
func frequency(c byte) int {
	const often = "wkzyxj0987654321hbgfqv.,:-'pmcdoulrtnsiea "
	switch {
	case c >= 0xc0: // begins a character: in a script other than Latin often the same byte
		return len(often)
	case c >= 0x80:
		return len(often) / 2
	}
	return bytes.IndexByte([]byte(often), c) // -1 for all that is seldom
}

// in tells whether the needle is in folded text: where its rarest byte is, the rest is compared. Where that byte turns out not
// to be rare, the general search goes on.
func (n *Needle) in(folded []byte) bool {
	c := n.folded[n.rare]
	misses := 0
	for at := n.rare; at < len(folded); at++ {
		i := bytes.IndexByte(folded[at:], c)
		if i < 0 {
			return false
		}
		at += i
		begin := at - n.rare
		if bytes.HasPrefix(folded[begin:], n.folded) {
			return true
		}
		if misses++; misses > 8+at/32 {
			return bytes.Contains(folded[begin+1:], n.folded)
		}
	}
	return false
}

// Finder searches the text of messages, see Reader. It serves one message after the other; the zero Finder is ready.
type Finder struct {
	reader Reader
	folded []byte
	found  []bool
}

// Find tells of each needle whether it is in the text of a message, whatever case, accents and white space are (Fold). An empty
// needle is in every message. The result is valid until the next call.
func (f *Finder) Find(raw []byte, needles []Needle) []bool {
	f.found = f.found[:0]
	missing := 0
	for _, n := range needles {
		empty := len(n.folded) == 0
		f.found = append(f.found, empty)
		if !empty {
			missing++
		}
	}
	if missing == 0 {
		return f.found
	}
	f.reader.Text(raw, func(place Place, piece []byte) bool {
		folded := false
		for i := range needles {
			n := &needles[i]
			if f.found[i] || n.body && place == InHeader {
				continue
			}
			if !folded {
				f.folded, folded = Fold(f.folded[:0], piece), true
			}
			if n.in(f.folded) {
				f.found[i] = true
				missing--
			}
		}
		return missing > 0
	})
	if cap(f.folded) > keepBytes {
		f.folded = nil
	}
	return f.found
}
