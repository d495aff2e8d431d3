package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// BenchmarkReader decodes a megabyte into the buffer of a session, of 4 KiB, and into a larger one, beside compress/flate.
//
//	go test -run=- -bench=Reader ./mailstack/imap/deflate
func BenchmarkReader(b *testing.B) {
	for name, data := range map[string][]byte{"responses": responses(1 << 20), "noise": noise(1 << 20)} {
		stream := compressed(b, flate.DefaultCompression, data)
		for _, reader := range []struct {
			name   string
			size   int
			reader func(io.Reader) io.Reader
		}{
			{"own-4KiB", 4 << 10, func(r io.Reader) io.Reader { return NewReader(r, nil) }},
			{"own-64KiB", 64 << 10, func(r io.Reader) io.Reader { return NewReader(r, nil) }},
			{"std-64KiB", 64 << 10, func(r io.Reader) io.Reader { return flate.NewReader(r) }},
		} {
			b.Run(name+"/"+reader.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				p := make([]byte, reader.size)
				for b.Loop() {
					r := reader.reader(bytes.NewReader(stream))
					for {
						if _, err := r.Read(p); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
