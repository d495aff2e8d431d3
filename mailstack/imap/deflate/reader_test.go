package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// responses is text as an IMAP server writes it.
func responses(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := 1; b.Len() < size; i++ {
		fmt.Fprintf(&b, "* %d FETCH (UID %d FLAGS (\\Seen $Work) INTERNALDATE \"%02d-Nov-2026 09:%02d:00 +0000\" RFC822.SIZE %d)\r\n",
			i, i+random.IntN(9), 1+random.IntN(28), random.IntN(60), random.IntN(99999))
	}
	return b.Bytes()[:size]
}

func noise(size int) []byte {
	b := make([]byte, size)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// compressed is the stream of a sender that flushes after each chunk and ends with the last block.
func compressed(t testing.TB, level int, chunks ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range chunks {
		w.Write(chunk)
		w.Flush()
	}
	w.Close()
	return b.Bytes()
}

func TestReader(t *testing.T) {
	corpora := map[string][]byte{
		"empty":     nil,
		"short":     []byte("a1 NOOP\r\n"),
		"responses": responses(80_000),
		"noise":     noise(40_000),
		"zeros":     make([]byte, 70_000),
		"far":       append(append(noise(windowSize), noise(windowSize)...), noise(99)...), // matches reach as far as they may
	}
	for name, data := range corpora {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6} {
			stream := compressed(t, level, data[:len(data)/3], data[len(data)/3:])
			for how, source := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader,
			} {
				for _, size := range []int{1, 7, 300, 4096, 100_000} {
					got, err := readAll(NewReader(source(bytes.NewReader(stream)), nil), 1<<20, func() int { return size })
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%s, level %d, %s, into %d: %d octets, %v; want %d", name, level, how, size, len(got), err, len(data))
					}
				}
			}
		}
	}
}

// readAll reads about as much as limit, so many octets at a time, and checks that Ready says what Read does.
func readAll(r *Reader, limit int, size func() int) (all []byte, err error) {
	buffer := make([]byte, 128<<10)
	for len(all) < limit {
		src, ready := r.src, r.Ready()
		if ready {
			r.src = iotest.ErrReader(errors.New("Reader is ready and reads from its source"))
		}
		p := buffer[:size()]
		n, err := r.Read(p)
		r.src = src
		all = append(all, p[:n]...)
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, err
		}
	}
	return all, nil
}

// step is what a sender has flushed at once.
type step struct {
	text   string
	octets []byte
}

// zlibSteps are what zlib makes of a client's commands, by kind of flush and level.
func zlibSteps(t testing.TB) map[string][]step {
	t.Helper()
	file, err := os.ReadFile("testdata/zlib.txt")
	if err != nil {
		t.Fatal(err)
	}
	steps := make(map[string][]step)
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		text, err := strconv.Unquote(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		octets, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		steps[fields[0]] = append(steps[fields[0]], step{text, octets})
	}
	return steps
}

// TestZlib: what zlib has flushed is there at once, after Z_PARTIAL_FLUSH too, and then there is nothing.
func TestZlib(t *testing.T) {
	for name, steps := range zlibSteps(t) {
		var src bytes.Buffer
		r := NewReader(&src, nil)
		for _, step := range steps {
			src.Write(step.octets)
			got := make([]byte, 0, len(step.text))
			for len(got) < len(step.text) {
				n, err := r.Read(got[len(got):cap(got)])
				if err != nil {
					t.Fatalf("%s: %q: %v after %q", name, step.text, err, got)
				}
				got = got[:len(got)+n]
			}
			if string(got) != step.text {
				t.Errorf("%s: %q, want %q", name, got, step.text)
			}
			if r.Ready() || src.Len() > 0 && r.Fill() != nil {
				t.Errorf("%s: there is something after %q", name, step.text)
			}
		}
		if len(steps) < 10 || r.block.tables != nil && r.block.tables != fixed() || r.pooled != nil {
			t.Errorf("%s: %d steps; a Reader that waits holds %+v, %v", name, len(steps), r.block, r.pooled)
		}
	}
}

// bitString is a stream written by hand: bits in the order in which they come, codes with their highest bit first.
func bitString(s string) []byte {
	var b []byte
	n := 0
	for _, c := range s {
		if c == ' ' {
			continue
		}
		if n%8 == 0 {
			b = append(b, 0)
		}
		b[n/8] |= byte(c-'0') << (n % 8)
		n++
	}
	return b
}

// What has been flushed is there, whatever follows it.
func TestFlushes(t *testing.T) {
	// "a" and "b" in blocks with fixed codes: 8 bits each, then 7 zeros as the end of the block.
	a, b := "0 10 10010001 0000000 ", "0 10 10010010 0000000 "
	empty := "0 10 0000000 "
	for name, test := range map[string]struct{ first, second string }{
		"at the end of a block":         {a + "0000 00", b},
		"partial":                       {a + empty, b},
		"partial, cut within":           {a + "0 10 000", "0000 " + b},
		"partial twice":                 {a + empty + empty, b},
		"partial, none of its bits yet": {"0 10 10010001 0000000", " " + empty + b},
	} {
		first, all := len(bitString(test.first)), bitString(test.first+test.second)
		if name == "at the end of a block" { // filled up by a stored block's header
			all = bitString(test.first + "0000000000000000 1111111111111111 " + b)
		}
		var src bytes.Buffer
		src.Write(all[:first])
		r := NewReader(&src, nil)
		p := make([]byte, 9)
		if n, err := r.Read(p); n != 1 || p[0] != 'a' || err != nil {
			t.Errorf("%s: %d octets %q, %v", name, n, p[:n], err)
		}
		if r.Ready() {
			t.Errorf("%s: is ready though there is nothing more", name)
		}
		src.Write(all[first:])
		if n, err := r.Read(p); n != 1 || p[0] != 'b' || err != nil {
			t.Errorf("%s: then %d octets %q, %v", name, n, p[:n], err)
		}
	}
}

func TestCorrupt(t *testing.T) {
	const header = "1 01 " // the last block, with codes of its own
	for name, test := range map[string]struct {
		stream string
		want   error
	}{
		"type 3":                    {"1 11", errBlockType},
		"stored lengths":            {"1 00 00000 1000000000000000 1111111111111111", errStored},
		"counts":                    {header + "11111 00000 0000", errCounts},
		"distance counts":           {header + "00000 01111 0000", errCounts},
		"too many codes":            {header + "00000 00000 0000" + " 100 100 100 000", errOversized},
		"too few codes":             {header + "00000 00000 0000" + " 010 010 000 000", errIncomplete},
		"no code of lengths":        {header + "00000 00000 0000" + " 000 000 000 000", errSymbol},
		"repeat at first":           {header + "00000 00000 0000" + " 100 100 000 000" + " 0", errRepeat},
		"repeat beyond":             {header + "00000 00000 0000" + " 000 000 100 000" + " 01111111 01111111 01111111", errRepeat},
		"no literals":               {header + "00000 00000 0000" + " 000 000 100 100" + " 1 1111111 1 1011011" + " 0", errSymbol},
		"unknown length":            {"1 10 11000110", errSymbol},
		"unknown distance":          {"1 10 10010001 0000001 11110", errSymbol},
		"distance beyond the start": {"1 10 10010001 0000001 00001", errDistance},
	} {
		_, err := readAll(NewReader(bytes.NewReader(bitString(test.stream+" 0000000000")), nil), 100, func() int { return 10 })
		if err != test.want || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// End gives back what was sent behind the stream, however much of it had come.
func TestEnd(t *testing.T) {
	const command, next = "a1 UNAUTHENTICATE\r\n", "a2 LOGIN afi secret\r\n"
	synced := compressed(t, 6, []byte(command))
	synced = synced[:len(synced)-len("\x01\x00\x00\xff\xff")] // which is how Close ends it
	var ended bytes.Buffer
	w, _ := flate.NewWriter(&ended, 6)
	w.Write([]byte(command))
	w.Close()
	for name, stream := range map[string][]byte{
		"flushed": synced, "ended": ended.Bytes(), "stored": compressed(t, 0, []byte(command))[:5+len(command)+5],
		"flushed twice": bitString("0 10 0000000 1 10 0000000"),
	} {
		text := command
		if name == "flushed twice" {
			text = ""
		}
		all := append(bytes.Clone(stream), next...)
		for head := range len(all) + 1 {
			for _, source := range []io.Reader{bytes.NewReader(all[head:]), iotest.OneByteReader(bytes.NewReader(all[head:]))} {
				r := NewReader(source, all[:head:head])
				got := make([]byte, len(text))
				if _, err := io.ReadFull(r, got); err != nil || string(got) != text {
					t.Fatalf("%s: %q, %v", name, got, err)
				}
				rest, err := r.End()
				if err != nil {
					t.Fatalf("%s, %d octets first: %v", name, head, err)
				}
				more, _ := io.ReadAll(source)
				if string(rest)+string(more) != next {
					t.Errorf("%s, %d octets first: %q and %q follow, want %q", name, head, rest, more, next)
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("%s: after the end %d octets, %v", name, n, err)
				}
			}
		}
	}
	r := NewReader(strings.NewReader(""), compressed(t, 6, []byte(command), []byte(next)))
	if _, err := io.ReadFull(r, make([]byte, len(command))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.End(); err != nil { // at the flush between them
		t.Error(err)
	}
	r = NewReader(strings.NewReader(""), compressed(t, 6, []byte(command+next)))
	if _, err := io.ReadFull(r, make([]byte, len(command))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.End(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a stream that goes on is ended: %v", err)
	}
}

// Empty blocks are no way to keep a Reader busy.
func TestBarren(t *testing.T) {
	empty := bitString(strings.Repeat("0 10 0000000 ", 4))
	r := NewReader(iotest.OneByteReader(bytes.NewReader(bytes.Repeat(empty, maxBarren/len(empty)+1))), nil)
	if _, err := r.Read(make([]byte, 1)); err != errBarren {
		t.Error(err)
	}
	var stream []byte
	for range 20 {
		stream = append(stream, bytes.Repeat(empty, maxBarren/len(empty)/10)...)
		stream = append(stream, 0, 1, 0, 0xfe, 0xff, 'a')
	}
	if got, err := io.ReadAll(NewReader(iotest.HalfReader(bytes.NewReader(stream)), nil)); err != nil || len(got) != 20 {
		t.Errorf("%q, %v", got, err)
	}
}

// An error of the source does not last, and where the source ends tells whether the stream is whole.
func TestSourceErrors(t *testing.T) {
	stream := compressed(t, 6, responses(5000))
	r := NewReader(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(stream))), nil)
	first, err := io.ReadAll(r)
	if err != iotest.ErrTimeout {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); err != nil || string(first)+string(rest) != string(responses(5000)) {
		t.Errorf("after a deadline: %d and %d octets, %v", len(first), len(rest), err)
	}
	for cut, want := range map[int]error{
		0: nil, 1: io.ErrUnexpectedEOF, len(stream) / 2: io.ErrUnexpectedEOF, len(stream) - len("\x01\x00\x00\xff\xff"): nil, len(stream) - 1: io.ErrUnexpectedEOF,
	} {
		if _, err := io.ReadAll(NewReader(bytes.NewReader(stream[:cut]), nil)); err != want {
			t.Errorf("cut at %d of %d: %v, want %v", cut, len(stream), err, want)
		}
	}
	if _, err := NewReader(iotest.ErrReader(nil), nil).Read(make([]byte, 1)); err != io.ErrNoProgress {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

// A stream costs what is read of it and its history, not what it could become.
func TestCost(t *testing.T) {
	bomb := compressed(t, 9, make([]byte, 32<<20))
	src := bytes.NewReader(bomb)
	r := NewReader(src, nil)
	p := make([]byte, 100)
	for range 50 {
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(bomb) - src.Len(); n > inputSize || len(r.window.octets) != 5000 || cap(r.window.octets) > 7000 {
		t.Errorf("5000 octets took %d of %d, the window has %d and room for %d", n, len(bomb), len(r.window.octets), cap(r.window.octets))
	}
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil || cap(r.window.octets) != windowSize {
		t.Errorf("the window has room for %d: %v", cap(r.window.octets), err)
	}
}
