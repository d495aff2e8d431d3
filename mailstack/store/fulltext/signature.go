package fulltext

import (
	"encoding/binary"
	"math/bits"

	"gouv.tg/messagerie/mailstack/mime"
)

// A signature has 2^n bits, n from minLog to maxLog: as few as leave no more than maxDensity of them set. That of a message whose
// text is too rich for all of them is empty: the message may have anything.
const (
	minLog     = 11
	maxLog     = 17
	maxDensity = 0.4
)

// gram4 and gram3 place a run of bytes among the bits of the largest signature; in a smaller one it has the lower bits of
// the place. Multiplication spreads all bytes over the bits that are taken.
func gram4(v uint32) uint32 { return uint32(uint64(v)*0x9e3779b97f4a7c15>>40) & (1<<maxLog - 1) }
func gram3(v uint32) uint32 {
	return uint32((uint64(v&0xffffff)|1<<32)*0x9e3779b97f4a7c15>>40) & (1<<maxLog - 1)
}

// signer makes signatures, one after the other.
type signer struct {
	reader mime.Reader
	folded []byte
	bits   [1 << maxLog / 64]uint64
}

// sign returns the signature of a message.
func (s *signer) sign(raw []byte) []byte {
	clear(s.bits[:])
	s.reader.Text(raw, func(_ mime.Place, piece []byte) bool {
		s.folded = mime.Fold(s.folded[:0], piece)
		s.add(s.folded)
		return true
	})
	if cap(s.folded) > 1<<20 {
		s.folded = nil
	}
	return s.shrink()
}

// add sets the bits of a text.
func (s *signer) add(text []byte) {
	if len(text) < 3 {
		return
	}
	v := uint32(text[0])<<8 | uint32(text[1])
	for i, c := range text[2:] {
		v = v<<8 | uint32(c)
		g := gram3(v)
		s.bits[g/64] |= 1 << (g % 64)
		if i > 0 {
			g = gram4(v)
			s.bits[g/64] |= 1 << (g % 64)
		}
	}
}

// shrink folds the bits over each other as far as maxDensity allows.
func (s *signer) shrink() []byte {
	words := s.bits[:]
	if tooDense(count(words), len(words)) {
		return nil
	}
	for half := len(words) / 2; half >= 1<<minLog/64; half /= 2 {
		set := 0
		for i, w := range words[:half] {
			set += bits.OnesCount64(w | words[half+i])
		}
		if tooDense(set, half) {
			break
		}
		for i, w := range words[half:] {
			words[i] |= w
		}
		words = words[:half]
	}
	signature := make([]byte, 0, 8*len(words))
	for _, w := range words {
		signature = binary.LittleEndian.AppendUint64(signature, w)
	}
	return signature
}

func count(words []uint64) int {
	set := 0
	for _, w := range words {
		set += bits.OnesCount64(w)
	}
	return set
}

func tooDense(set, words int) bool { return float64(set) > maxDensity*64*float64(words) }

// logSize is n of a signature of 2^n bits; false for what is none.
func logSize(signature []byte) (int, bool) {
	n := bits.Len(uint(len(signature))) + 2
	return n, n >= minLog && n <= maxLog && len(signature) == 1<<n/8
}

// probe is the places of the bits that a message with the needle has. It is empty for a needle of less than three bytes: nothing is
// known of those.
type probe []uint32

// maxProbe bounds the bits that are looked at: of long needles not every gram is needed.
const maxProbe = 48

// newProbe makes the probe of a folded string.
func newProbe(folded []byte) probe {
	var p probe
	for i := 3; i < len(folded) && len(p) < maxProbe; i++ {
		p = append(p, gram4(binary.BigEndian.Uint32(folded[i-3:])))
	}
	for i := 2; i < len(folded) && len(p) < maxProbe; i++ {
		p = append(p, gram3(uint32(folded[i-2])<<16|uint32(folded[i-1])<<8|uint32(folded[i])))
	}
	return p
}

// lacks tells whether a signature shows that its message does not have the needle.
func (p probe) lacks(signature []byte) bool {
	if len(signature) == 0 {
		return false
	}
	for _, place := range p {
		place &= uint32(8*len(signature) - 1)
		if signature[place/8]&(1<<(place%8)) == 0 {
			return true
		}
	}
	return false
}
