package fulltext

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"gouv.tg/messagerie/mailstack/mime"
)

// letter is a message with a text of words that a seed chooses.
func letter(seed uint64, words int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	b := []byte(fmt.Sprintf("Subject: lettre %d\r\n\r\n", seed))
	for range words {
		for range 2 + r.IntN(8) {
			b = append(b, 'a'+byte(r.IntN(26)))
		}
		b = append(b, ' ')
	}
	return b
}

func TestSignatureSizes(t *testing.T) {
	var s signer
	for _, test := range []struct{ words, log int }{
		{0, 11}, {50, 11}, {300, 13}, {2000, 16}, {8000, 17},
	} {
		got := s.sign(letter(1, test.words))
		if log, ok := logSize(got); !ok || log != test.log {
			t.Errorf("%d words: %d bytes, want 2^%d bits", test.words, len(got), test.log)
		}
	}
	if got := s.sign(letter(1, 100_000)); len(got) != 0 {
		t.Errorf("a very rich text has %d bytes", len(got))
	}
	for _, n := range []int{0, 1, 255, 257, 384, 1 << 15} {
		if log, ok := logSize(make([]byte, n)); ok {
			t.Errorf("%d bytes have 2^%d bits", n, log)
		}
	}
}

func TestProbe(t *testing.T) {
	var s signer
	signature := s.sign([]byte("Subject: Été à Lomé\r\n\r\nLe Conseil des   ministres"))
	for _, test := range []struct {
		needle string
		lacks  bool
	}{
		{"", false}, {"zq", false}, {"ete a lome", false}, {"CONSEIL DES MINISTRES", false}, {"sei", false},
		{"zzz", true}, {"ministere", true}, {"conseil d'etat", true},
	} {
		n := mime.NewNeedle(test.needle, false)
		p := newProbe(n.Folded())
		if got := p.lacks(signature); got != test.lacks {
			t.Errorf("%q: %v", test.needle, got)
		}
		if p.lacks(nil) {
			t.Errorf("%q: an empty signature lacks it", test.needle)
		}
	}
}

func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a, b [64]uint64
	for i := range a {
		a[i] = r.Uint64()
	}
	b = a
	transpose(&b)
	for i := range 64 {
		for j := range 64 {
			if a[i]>>j&1 != b[j]>>i&1 {
				t.Fatalf("bit %d of word %d", j, i)
			}
		}
	}
}

func TestTurn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for log := minLog; log <= maxLog; log++ {
		signatures := make([][]byte, rows(log))
		for i := range signatures {
			signatures[i] = make([]byte, 1<<log/8)
			for j := range signatures[i] {
				signatures[i][j] = byte(r.Uint32())
			}
		}
		block := turn(signatures, log)
		for range 5000 {
			row, place := r.IntN(rows(log)), uint32(r.IntN(1<<log))
			group, offset := slice(place|1<<maxLog, log)
			bits := block[group*groupBytes:][:groupBytes][offset:][:rows(log)/8]
			if bits[row/8]>>(row%8)&1 != signatures[row][place/8]>>(place%8)&1 {
				t.Fatalf("2^%d bits: row %d, place %d", log, row, place)
			}
		}
	}
}

func TestSeal(t *testing.T) {
	sealed := seal(7, []byte("text"))
	if b, err := unseal(7, sealed); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 4
		if b, err := unseal(7, damaged); err == nil {
			t.Errorf("byte %d: %q", i, b)
		}
	}
	if _, err := unseal(7, sealed[:3]); err == nil {
		t.Error("too short")
	}
	if _, err := unseal(8, sealed); err == nil {
		t.Error("of another row")
	}
}

// FuzzSignature finds every part of every text.
func FuzzSignature(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nContent-Type: text/html\r\n\r\n<p>Conseil &amp; ministres"), uint16(20), uint16(9))
	f.Fuzz(func(t *testing.T, raw []byte, from, length uint16) {
		var s signer
		signature := s.sign(raw)
		var r mime.Reader
		r.Text(raw, func(_ mime.Place, piece []byte) bool {
			folded := mime.Fold(nil, piece)
			begin := int(from) % (len(folded) + 1)
			part := folded[begin:min(len(folded), begin+int(length))]
			if newProbe(part).lacks(signature) {
				t.Fatalf("%q is in %q", part, folded)
			}
			return true
		})
	})
}

func BenchmarkSign(b *testing.B) {
	var s signer
	raw := letter(1, 1200)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		s.sign(raw)
	}
}
