package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"
)

// counted notes where its Writer was flushed.
type counted struct {
	bytes.Buffer
	flushes []int
}

func (c *counted) Write(b []byte) (int, error) {
	c.flushes = append(c.flushes, c.Len()+len(b))
	return c.Buffer.Write(b)
}

func TestWriter(t *testing.T) {
	text := responses(300_000)
	for name, test := range map[string]struct {
		chunks [][]byte
		ratio  float64 // at least
	}{
		"one octet":  {[][]byte{{'x'}}, 0.09},
		"responses":  {split(text[:20_000], 120), 2.5},
		"fetch":      {split(text, 16<<10), 3.5},
		"at once":    {[][]byte{text}, 3.5},
		"noise":      {split(noise(100_000), 16<<10), 0.99},
		"zeros":      {[][]byte{make([]byte, 200_000)}, 100},
		"repetition": {split(bytes.Repeat(noise(historySize), 40), historySize), 20}, // as far back as can be
		"nothing":    {[][]byte{nil, text[:100], nil}, 0.9},
	} {
		var dst counted
		w := NewWriter(&dst)
		var want []byte
		for _, chunk := range test.chunks {
			if n, err := w.Write(chunk); n != len(chunk) || err != nil {
				t.Fatalf("%s: wrote %d of %d, %v", name, n, len(chunk), err)
			}
			want = append(want, chunk...)
			flushed, err := io.ReadAll(flate.NewReader(bytes.NewReader(dst.Bytes())))
			if err != io.ErrUnexpectedEOF && len(want) > 0 || !bytes.Equal(flushed, want) {
				t.Fatalf("%s: %d octets are there of %d, %v", name, len(flushed), len(want), err)
			}
			if len(want) > 200_000 { // that is enough of it
				break
			}
		}
		own, err := io.ReadAll(NewReader(&dst.Buffer, nil))
		if err != nil || !bytes.Equal(own, want) {
			t.Errorf("%s: own reader has %d octets of %d, %v", name, len(own), len(want), err)
		}
		if len(w.history) != min(len(want), historySize) || cap(w.history) > historySize {
			t.Errorf("%s: keeps %d octets in %d", name, len(w.history), cap(w.history))
		}
		size := dst.flushes[len(dst.flushes)-1]
		if ratio := float64(len(want)) / float64(size); ratio < test.ratio {
			t.Errorf("%s: %d octets became %d, 1/%.2f", name, len(want), size, ratio)
		}
	}
}

func split(b []byte, size int) (chunks [][]byte) {
	for ; len(b) > 0; b = b[min(len(b), size):] {
		chunks = append(chunks, b[:min(len(b), size)])
	}
	return chunks
}

type broken struct{ after int }

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	if b.after--; b.after < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriterError(t *testing.T) {
	if n, err := NewWriter(&broken{1}).Write(noise(2 * pieceSize)); n != pieceSize || err != errBroken {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// FuzzWriter: what one writes the other reads, whatever it is and however it is cut.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("* 23 EXISTS\r\n* 24 EXISTS\r\n"), uint16(13))
	f.Add(responses(5000), uint16(100))
	f.Add(noise(3000), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		var dst bytes.Buffer
		w := NewWriter(&dst)
		r := NewReader(&dst, nil)
		for _, chunk := range split(data, max(1, int(size), len(data)/50)) {
			if _, err := w.Write(chunk); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(chunk))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, chunk) {
				t.Fatalf("%q, %v; want %q", got, err, chunk)
			}
			for dst.Len() > 0 && !r.Ready() {
				if err := r.Fill(); err != nil {
					t.Fatal(err)
				}
			}
			if r.Ready() {
				t.Fatal("there is more than was written")
			}
		}
	})
}
