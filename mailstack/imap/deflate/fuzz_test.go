package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// pieces gives a stream in pieces of random sizes.
type pieces struct {
	rest   []byte
	random *rand.Rand
}

func (s *pieces) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(len(s.rest), 1+s.random.IntN(1<<s.random.IntN(12)))])
	s.rest = s.rest[n:]
	return n, nil
}

// FuzzReader decodes anything, in pieces of all sizes, as compress/flate does as a whole.
func FuzzReader(f *testing.F) {
	for _, data := range [][]byte{nil, []byte("a1 NOOP\r\n"), responses(3000), noise(500), make([]byte, 3000)} {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
			f.Add(compressed(f, level, data[:len(data)/2], data[len(data)/2:]), uint64(level))
		}
	}
	for _, steps := range zlibSteps(f) {
		var stream []byte
		for _, step := range steps {
			stream = append(stream, step.octets...)
		}
		f.Add(stream, uint64(len(stream)))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		const limit = 1 << 20 // of what a small stream can grow to
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), limit))
		random := rand.New(rand.NewPCG(seed, 0))
		head := random.IntN(len(stream) + 1)
		r := NewReader(&pieces{stream[head:], random}, stream[:head])
		got, err := readAll(r, limit, func() int { return 1 + random.IntN(1<<random.IntN(14)) })
		if len(want) == limit {
			if len(got) < limit || !bytes.Equal(got[:limit], want) {
				t.Fatalf("%d octets differ from %d, or %v", len(got), len(want), err)
			}
			return
		}
		var corrupt flate.CorruptInputError
		switch {
		case wantErr == nil:
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d octets, %v; want %d", len(got), err, len(want))
			}
		case errors.As(wantErr, &corrupt):
			if !errors.Is(err, ErrCorrupt) || !bytes.Equal(got, want) {
				t.Fatalf("%d octets, %v; want %d, %v", len(got), err, len(want), wantErr)
			}
		case wantErr == io.ErrUnexpectedEOF: // which it finds without looking at what there is
			if !bytes.HasPrefix(got, want) || err != nil && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%d octets, %v; want %d and more, %v", len(got), err, len(want), wantErr)
			}
		default:
			t.Fatal(wantErr)
		}
	})
}
