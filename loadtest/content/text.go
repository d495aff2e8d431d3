package content

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A line of text is the half of one sentence and the half of another: 2,048 subjects and 2,048 ends make four million lines, each two
// copies and no search. Halves are stored as they are sent, in quoted-printable (RFC 2045, 6.7), so that no server need touch them.
const (
	halfBits = 11
	halves   = 1 << halfBits
	halfMax  = 36 // octets; two, a blank and the period stay within the 76 of a quoted-printable line
)

type phrases struct {
	left, right [halves]string
}

var lines = sync.OnceValue(func() *phrases {
	p := new(phrases)
	rng := random(1)
	begin := func() string {
		return capitalized(openings[rng.below(len(openings))] + subjects[rng.below(len(subjects))])
	}
	end := func() string { return verbs[rng.below(len(verbs))] + " " + objects[rng.below(len(objects))] }
	fillHalves(&p.left, begin)
	fillHalves(&p.right, end)
	return p
})

// fillHalves keeps what is not too long. A phrase may come twice: they are drawn, not counted.
func fillHalves(half *[halves]string, draw func() string) {
	for i := range half {
		for len(half[i]) == 0 || len(half[i]) > halfMax {
			half[i] = quotedPrintable(draw())
		}
	}
}

func capitalized(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// quotedPrintable encodes text without line ends or trailing blanks.
func quotedPrintable(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '=' {
			fmt.Fprintf(&b, "=%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// continuation is how administrations mark that a page goes on. It begins with a dot, which SMTP must stuff (RFC 5321, 4.5.2).
const continuation = ".../...\r\n"

// writeText emits about size octets of text, a greeting and a closing at least. Emit gets whole lines and returns false to stop.
func writeText(rng *random, prefix string, size int, buffer []byte, emit func([]byte) bool) bool {
	phrase := lines()
	b := append(buffer[:0], prefix...)
	b = append(b, quotedPrintable(greetings[rng.below(len(greetings))])...)
	b = append(b, "\r\n"...)
	written := len(b)
	for written < size-100 {
		n := rng.next()
		before := len(b)
		switch choice := n >> 56; {
		case choice >= 224:
			b = append(append(b, prefix...), "\r\n"...)
		case choice == 0:
			b = append(append(b, prefix...), continuation...)
		}
		b = append(b, prefix...)
		b = append(b, phrase.left[n%halves]...)
		b = append(b, ' ')
		b = append(b, phrase.right[n>>halfBits%halves]...)
		b = append(b, ".\r\n"...)
		written += len(b) - before
		if len(b) > cap(buffer)-512 {
			if !emit(b) {
				return false
			}
			b = b[:0]
		}
	}
	b = append(append(b, prefix...), "\r\n"...)
	b = append(b, prefix...)
	b = append(b, quotedPrintable(closings[rng.below(len(closings))])...)
	b = append(b, "\r\n"...)
	return emit(b)
}
