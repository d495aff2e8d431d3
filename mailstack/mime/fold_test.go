package mime

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"Conseil des MINISTRES du 3 mars @[`{", "conseil des ministres du 3 mars @[`{"},
		{"a  b\r\n\tc \x00 d", "a b c d"},
		{" a ", " a "},
		{"           a           ", " a "},
		{"Élève, où? ÇA! Noël cœur Œuvre", "eleve, ou? ca! noel coeur oeuvre"},
		{"e\u0301te\u0301 e\u0301te\u0301", "ete ete"},
		{"Straße ẞ Ǆ ﬁn ½ ²", "strasse ss dz fin 1/2 2"},
		{"l’État « d’Ô » — ‘x’", "l'etat \" d'o \" - 'x'"},
		{"Eʋegbe Ɖevi Ŋutsu ƒo Kabɩyɛ Ɣ Ɔ", "evegbe devi nutsu fo kabiye g o"},
		{"a\u00a0\u202f\u3000b", "a b"},
		{"so\u00adft\u200b\ufeff", "soft"},
		{"ΣΊΣΥΦΟΣ σίσυφος Ёлка", "σισυφοσ σισυφοσ елка"},
		{"İstanbul ISPARTA ısı", "istanbul isparta isi"},
		{"日本語 ｶﾞ 한국 👍🏽", "日本語 カ 한국 👍🏽"},
		{"مُحَمَّد", "محمد"},
		{"\xff\xe9a", "\ufffd\ufffda"},
	} {
		if got := string(Fold(nil, []byte(test.in))); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}

// Every character folds to what folds to itself, and its two cases to the same.
func TestFoldIsStable(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		once := Fold(nil, []byte(string(r)))
		if twice := Fold(nil, once); !bytes.Equal(once, twice) {
			t.Fatalf("%U: %q, then %q", r, once, twice)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Élève  œ\r\n x", "ÉLÈVE", uint8(2))
	f.Add("        ", "abcdefgh \u0301", uint8(9))
	f.Fuzz(func(t *testing.T, a, b string, pad uint8) {
		folded := Fold(nil, []byte(a))
		if !utf8.Valid(folded) || bytes.Contains(folded, []byte("  ")) {
			t.Fatalf("%q folds to %q", a, folded)
		}
		if again := Fold(nil, folded); !bytes.Equal(again, folded) {
			t.Fatalf("%q folds to %q, then to %q", a, folded, again)
		}
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		// Wherever a string stands in another, its folding stands in the folding.
		whole := strings.Repeat("x", int(pad)) + a + b + a
		if !bytes.Contains(Fold(nil, []byte(whole)), Fold(nil, []byte(b))) {
			t.Fatalf("%q folded is not in %q folded", b, whole)
		}
		// The way it is cut does not matter.
		if joined := Fold(Fold(nil, []byte(a)), []byte(b)); !bytes.Equal(joined, Fold(nil, []byte(a+b))) {
			t.Fatalf("%q and %q fold apart to %q", a, b, joined)
		}
	})
}

func BenchmarkFold(b *testing.B) {
	line := "Le Conseil des ministres se tient le mardi a dix heures dans la salle.\r\n"
	for _, bench := range []struct{ name, text string }{
		{"ascii", strings.Repeat(line, 110)},
		{"french", strings.Repeat(strings.Replace(line, "a dix", "à dix", 1)+"Élections législatives : l’été a été très chaud à Lomé, cœur du pays.\r\n", 55)},
		{"cyrillic", strings.Repeat("Совет министров собирается во вторник\r\n", 110)},
		{"chinese", strings.Repeat("部长会议星期二举行\r\n", 220)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			src, dst := []byte(bench.text), make([]byte, 0, 2*len(bench.text))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				dst = Fold(dst[:0], src)
			}
		})
	}
}
