package sasl

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// prep is SASLprep (RFC 4013), by which both sides see one password in what different keyboards send. It is false for
// what may not be in a password.
func prep(s string) (string, bool) {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case mappedToNothing(r):
			return -1
		case r != ' ' && unicode.Is(unicode.Zs, r): // RFC 3454, C.1.2
			return ' '
		}
		return r
	}, s)
	mapped = norm.NFKC.String(mapped)
	for _, r := range mapped {
		if prohibited(r) {
			return "", false
		}
	}
	return mapped, mapped != "" && directed(mapped)
}

// mappedToNothing is RFC 3454, B.1.
func mappedToNothing(r rune) bool {
	switch r {
	case 0x00ad, 0x034f, 0x1806, 0x180b, 0x180c, 0x180d, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff:
		return true
	}
	return r >= 0xfe00 && r <= 0xfe0f
}

// prohibited is RFC 4013, 2.3: control characters, private use, what is no character or not for plain text.
func prohibited(r rune) bool {
	switch {
	case r == unicode.ReplacementChar, unicode.IsControl(r), r != ' ' && unicode.Is(unicode.Zs, r):
		return true
	case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point):
		return true
	}
	return r >= 0xfff9 && r <= 0xfffc || r >= 0x2ff0 && r <= 0x2ffb || r == 0x0340 || r == 0x0341
}

// directed is RFC 3454, 6: what is written from right to left begins and ends so and has nothing of the other direction.
func directed(s string) bool {
	right, left, first, last := false, false, false, false
	for i, r := range s {
		p, _ := bidi.LookupRune(r)
		isRight := p.Class() == bidi.R || p.Class() == bidi.AL
		right, left = right || isRight, left || p.Class() == bidi.L
		if i == 0 {
			first = isRight
		}
		last = isRight
	}
	return !right || !left && first && last
}
