package mime

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Masks for eight ASCII characters in one word.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// Fold appends src as it is searched: what people take for the same becomes the same. Case, accents and other marks
// do not count, compatibility forms are replaced by what they stand for (NFKD), ligatures and letters without a decomposition by
// plain letters (œ: oe, ß: ss, ø: o, ɔ: o), typographic quotes and dashes by those of ASCII, and any run of white space and control
// characters by one space, also where src joins dst. What is not UTF-8 becomes U+FFFD.
//
// A string that is part of another is, folded, part of the other folded; Fold of what is folded changes nothing.
// A string of marks alone becomes empty.
func Fold(dst, src []byte) []byte {
	for len(src) >= 8 {
		word := binary.LittleEndian.Uint64(src)
		heptets := word &^ highs
		spaces := (heptets ^ ' '*ones + 0x7f*ones) ^ highs // the high bit of each: is a space
		twice := spaces << 8
		if n := len(dst); n > 0 && dst[n-1] == ' ' {
			twice |= 0x80
		}
		// What needs a closer look: other than ASCII, control characters, a space after a space.
		special := (word | ^(heptets + 0x60*ones) | spaces&twice) & highs
		upper := (heptets + (0x80-'A')*ones) &^ (heptets + (0x80-'Z'-1)*ones) & highs
		dst = binary.LittleEndian.AppendUint64(dst, word|upper>>2)
		if special == 0 {
			src = src[8:]
			continue
		}
		n := bits.TrailingZeros64(special) / 8
		dst = dst[:len(dst)-8+n]
		dst, src = foldSpecial(dst, src[n:])
	}
	for len(src) > 0 {
		c := src[0]
		if c <= ' ' || c >= utf8.RuneSelf {
			dst, src = foldSpecial(dst, src)
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
		src = src[1:]
	}
	return dst
}

// foldSpecial folds white space, or characters that are not ASCII, from the front of src.
func foldSpecial(dst, src []byte) (folded, rest []byte) {
	if src[0] > ' ' {
		return foldRunes(dst, src)
	}
	n := 1
	for n < len(src) && src[n] <= ' ' {
		n++
	}
	return appendSpace(dst), src[n:]
}

func foldRunes(dst, src []byte) (folded, rest []byte) {
	table := foldings()
	for len(src) > 0 && src[0] >= utf8.RuneSelf {
		r, size := rune(src[0]&0x1f)<<6, 2
		if 0xc2 <= src[0] && src[0] < 0xe0 && len(src) > 1 && src[1]&0xc0 == 0x80 {
			r |= rune(src[1] & 0x3f)
		} else {
			r, size = utf8.DecodeRune(src)
		}
		switch entry := table.entry(r); {
		case entry >= foldedText:
			n := len(dst) + int(entry>>24&3)
			dst = append(dst, byte(entry), byte(entry>>8), byte(entry>>16))[:n]
		case entry == foldedSpace:
			dst = appendSpace(dst)
		case size > 1 && foldsToItself(r):
			dst = append(dst, src[:size]...)
		default:
			dst = appendFolded(dst, r)
		}
		src = src[size:]
	}
	return dst, src
}

func appendSpace(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == ' ' {
		return dst
	}
	return append(dst, ' ')
}
