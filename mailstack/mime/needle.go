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
