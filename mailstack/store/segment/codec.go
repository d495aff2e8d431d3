package segment

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Codec says how a record's payload lies on disk.
type Codec uint8

// Codecs. Their numbers are on disk.
const (
	None Codec = iota
	Zstd       // one frame (RFC 8878), without its checksum
)

func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

const (
	// compressFrom is the smallest payload in bytes that is compressed. Below it compression costs a busy cell more
	// than it saves the disk: mail of 8 KB takes 25 µs of a processor to become 3 KB, and two processors stored a
	// quarter less of it in a second. Most bytes are in larger mail.
	compressFrom = 16 << 10
	// window bounds how far back the encoder looks and so what one encoder holds, with its buffers about 1 MiB.
	window = 128 << 10
)

// coders is how many payloads are compressed, and how many decompressed, at once.
var coders = min(runtime.GOMAXPROCS(0), 4)

// Literals are always entropy coded: base64, which is most of all mail by volume, has no repetitions but only 64
// different letters.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(coders),
		zstd.WithWindowSize(window), zstd.WithAllLitEntropyCompression(true), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

var decoder = sync.OnceValue(func() *zstd.Decoder { return newDecoder(coders) })

// newDecoder makes a decoder that writes straight into the caller's buffer and never beyond its capacity.
func newDecoder(concurrency int) *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(concurrency), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxRecord), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	return d
}

// compress returns the payload compressed, in a buffer from the pool; nil if that saves less than a tenth.
func compress(raw []byte) *[]byte {
	if len(raw) < compressFrom {
		return nil
	}
	buf := getBuffer(len(raw))
	*buf = encoder().EncodeAll(raw, (*buf)[:0])
	if len(*buf) > len(raw)/10*9 {
		putBuffer(buf)
		return nil
	}
	return buf
}

var errLength = errors.New("decompressed length differs")

// decompress fills dst, whose length is that of the payload.
func decompress(dst, stored []byte) error {
	d := decoder()
	if len(stored) > keepBuffer {
		// A decoder holds on to what it has read last.
		d = newDecoder(1)
		defer d.Close()
	}
	got, err := d.DecodeAll(stored, dst[:0:len(dst)])
	if err == nil && len(got) != len(dst) {
		err = errLength
	}
	return err
}

// keepBuffer is the largest buffer in bytes that is kept for the next payload.
const keepBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// getBuffer returns a buffer of a length.
func getBuffer(n int) *[]byte {
	buf := buffers.Get().(*[]byte)
	*buf = sized(*buf, n)
	return buf
}

func putBuffer(buf *[]byte) {
	if buf != nil && cap(*buf) <= keepBuffer {
		buffers.Put(buf)
	}
}

// sized returns b with a length, in its own memory if that suffices.
func sized(b []byte, n int) []byte {
	if b == nil || cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
