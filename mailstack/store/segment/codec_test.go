package segment

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// text is prose of a made-up language, in lines like those of mail.
func text(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	words := make([]string, 2000)
	for i := range words {
		for range 1 + rng.IntN(4) {
			words[i] += string("bcdfglmnprstv"[rng.IntN(13)]) + string("aeiou"[rng.IntN(5)])
		}
	}
	b := make([]byte, 0, n+100)
	for line := 0; len(b) < n; {
		// Few words are frequent.
		w := words[int(float64(len(words)-1)*rng.Float64()*rng.Float64()*rng.Float64())]
		b, line = append(append(b, w...), ' '), line+len(w)+1
		if line > 70 {
			b, line = append(b, "\r\n"...), 0
		}
	}
	return b[:n]
}

// attachment is what files become in mail: base64 of bytes without repetitions (RFC 2045, 6.8).
func attachment(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 2))
	file := make([]byte, n)
	for i := range file {
		file[i] = byte(rng.Uint32())
	}
	var b bytes.Buffer
	for s := base64.StdEncoding.EncodeToString(file); b.Len() < n; s = s[76:] {
		b.WriteString(s[:min(76, len(s))] + "\r\n")
	}
	return b.Bytes()[:n]
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestCompression(t *testing.T) {
	tests := []struct {
		name  string
		raw   []byte
		codec Codec
		most  float64 // stored bytes, as a share of the payload's
	}{
		{"empty", []byte{}, None, 1},
		{"short text", text(compressFrom - 1), None, 1},
		{"text", text(compressFrom), Zstd, 0.6},
		{"long text", text(3 << 20), Zstd, 0.6},
		{"attachment", attachment(200 << 10), Zstd, 0.8},
		{"noise", noise(200 << 10), None, 1},
		{"noise with some text", append(noise(100<<10), text(8<<10)...), None, 1},
		{"largest", bytes.Repeat([]byte("x"), MaxRecord), Zstd, 0.01},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir()}
			l, _ := openLog(t, o)
			r := Pack(tt.raw)
			ref, err := l.Append(r)
			if err == nil {
				err = l.Sync()
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Size() != ref.Size() || l.End().Offset != ref.Offset+ref.Size() {
				t.Errorf("record of %d bytes, ref of %d, log ends at %v", r.Size(), ref.Size(), l.End())
			}
			r.Release()
			if ref.Codec != tt.codec || float64(ref.Stored) > tt.most*float64(len(tt.raw)) || int(ref.Length) != len(tt.raw) {
				t.Errorf("%v", ref)
			}
			checkAll(t, l, []Ref{ref}, tt.raw)
			stored, err := l.Stored(ref)
			if err != nil {
				t.Fatal(err)
			}
			again, err := l.Append(stored)
			if err == nil {
				err = l.Sync()
			}
			stored.Release()
			if err != nil || again.Stored != ref.Stored || again.Codec != ref.Codec || again.CRC != ref.CRC {
				t.Errorf("copied as %v: %v", again, err)
			}
			checkAll(t, l, []Ref{again}, tt.raw)
			l.Close()
			l, rec := openLog(t, o)
			if rec.Orphans != 2 || rec.Truncated != 0 {
				t.Errorf("recovery %+v", rec)
			}
			checkAll(t, l, []Ref{ref, again}, tt.raw, tt.raw)
		})
	}
}

// TestBomb forges a small record that becomes larger than it says.
func TestBomb(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir()})
	r := Pack(make([]byte, MaxRecord))
	for _, length := range []uint32{MaxRecord - 1, 1 << 20, uint32(len(r.bytes)) + 1} {
		r.length = length
		r.crc = r.ref().checksum(r.bytes)
		ref, err := l.Append(r)
		if err == nil {
			err = l.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, length)
		allocated := testing.AllocsPerRun(1, func() { _, err = l.ReadInto(ref, buf) })
		if !errors.Is(err, ErrCorrupt) || allocated > 100 {
			t.Errorf("length %d: %v, %v allocations", length, err, allocated)
		}
	}
}

func TestReadInto(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir()})
	for _, raw := range [][]byte{text(100), text(100_000)} {
		ref := appendAll(t, l, raw)[0]
		for _, buf := range [][]byte{nil, make([]byte, 10), make([]byte, 0, len(raw)), make([]byte, len(raw)+5)} {
			got, err := l.ReadInto(ref, buf)
			if err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes into %d: %v", len(raw), cap(buf), err)
			}
			if cap(buf) >= len(raw) && &got[0] != &buf[:1][0] {
				t.Errorf("%d bytes: the buffer was not used", len(raw))
			}
		}
	}
}

// TestPackedAtOnce packs and reads in many goroutines: buffers are given back and taken again.
func TestPackedAtOnce(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir(), SegmentBytes: 1 << 20})
	var payloads [][]byte
	for i := range 40 {
		payloads = append(payloads, text(10_000+i*1000))
	}
	refs := appendAll(t, l, payloads...)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var buf []byte
			for k := range 200 {
				n := (k*7 + i) % len(payloads)
				r := Pack(payloads[n])
				if got := fmt.Sprint(r.crc, len(r.bytes)); got != fmt.Sprint(refs[n].CRC, refs[n].Stored) {
					t.Errorf("packed differently: %s", got)
				}
				var err error
				if buf, err = l.ReadInto(refs[n], buf); err != nil || !bytes.Equal(buf, payloads[n]) {
					t.Errorf("payload %d: %v", n, err)
				}
				r.Release()
			}
		})
	}
	wg.Wait()
}
