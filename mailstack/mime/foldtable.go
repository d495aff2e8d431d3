package mime

import (
	"bytes"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// alike are characters that people write for each other and that Unicode does not decompose. Among the letters are those of
// Ewe, Kabiyè and their neighbours, which many keyboards lack.
var alike = func() map[rune]string {
	m := make(map[rune]string)
	for to, from := range map[string]string{
		"'": "‘’‚‛ʼʹ´`′‹›", `"`: "“”„‟«»″", "-": "‐‑‒–—―−", "/": "⁄",
		"ae": "æ", "oe": "œ", "th": "þ",
		"a": "ɑ", "b": "ɓƀ", "c": "ƈ", "d": "đðɖɗ", "e": "ɛəǝɘ", "f": "ƒ", "g": "ɣɠǥ", "h": "ħɦɥ", "i": "ıɩɨ", "k": "ƙĸ", "l": "łƚ",
		"n": "ŋɲɳƞ", "o": "øɔɵ", "p": "ƥ", "r": "ɽɾ", "s": "ʃʂ", "t": "ŧƭʈ", "u": "ʊʉ", "v": "ʋʌ", "y": "ƴ", "z": "ʒʐƶ",
	} {
		for _, r := range from {
			m[r] = to
		}
	}
	delete(m, '`')
	return m
}()

// appendFolded appends the folding of one character.
func appendFolded(dst []byte, r rune) []byte {
	if foldsToItself(r) {
		return utf8.AppendRune(dst, r)
	}
	if to, ok := alike[r]; ok {
		return append(dst, to...)
	}
	if unicode.Is(unicode.Cherokee, r) {
		return utf8.AppendRune(dst, unicode.ToUpper(r)) // its capitals are the older letters
	}
	decomposed := norm.NFKD.String(cases.Fold().String(norm.NFKD.String(string(r))))
	for _, c := range decomposed {
		to, ok := alike[c]
		switch {
		case ok:
			dst = append(dst, to...)
		case unicode.IsSpace(c) || unicode.Is(unicode.Cc, c):
			dst = appendSpace(dst)
		case !isMark(c):
			dst = utf8.AppendRune(dst, c)
		}
	}
	return dst
}

// foldsToItself knows the great blocks of ideographs, syllables and emoji.
func foldsToItself(r rune) bool {
	return 0x3400 <= r && r <= 0x9fff || 0xac00 <= r && r <= 0xd7a3 || 0x1f300 <= r && r <= 0x1faff || 0x20000 <= r && r <= 0x2ebe0
}

// isMark tells what does not count: accents and points over and under letters, and what cannot be seen. The signs of scripts
// that write vowels as marks do count.
func isMark(r rune) bool {
	return unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Hebrew, unicode.Arabic) || unicode.Is(unicode.Cf, r)
}

// foldTable has the foldings of the characters that most text consists of, from U+0080 to the end of general punctuation: text of up to
// three bytes with its length in the highest byte, or a space; 0 for what takes more.
type foldTable [0x2070 - utf8.RuneSelf]uint32

const (
	foldedText  = 1 << 31
	foldedSpace = 1 << 30
)

// entry returns the folding of a character that is not ASCII; 0 if it is not in the table.
func (t *foldTable) entry(r rune) uint32 {
	if i := int(r) - utf8.RuneSelf; i < len(t) {
		return t[i]
	}
	return 0
}

var foldings = sync.OnceValue(func() *foldTable {
	var t foldTable
	for i := range t {
		switch to := appendFolded(nil, rune(i+utf8.RuneSelf)); {
		case string(to) == " ":
			t[i] = foldedSpace
		case len(to) <= 3 && !bytes.ContainsRune(to, ' '):
			t[i] = foldedText | uint32(len(to))<<24
			for j, c := range to {
				t[i] |= uint32(c) << (8 * j)
			}
		}
	}
	return &t
})
