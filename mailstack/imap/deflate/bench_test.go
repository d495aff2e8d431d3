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

// BenchmarkWriter compresses the writes of a session, as they are and with a compress/flate.Writer that is kept, and tells
// how many octets become one.
//
//	go test -run=- -bench=Writer ./mailstack/imap/deflate
func BenchmarkWriter(b *testing.B) {
	text := responses(1 << 20)
	for name, chunks := range map[string][][]byte{"120B": split(text[:60<<10], 120), "16KiB": split(text, 16<<10)} {
		for _, writer := range []struct {
			name string
			new  func(io.Writer) io.Writer
		}{
			{"own", func(w io.Writer) io.Writer { return NewWriter(w) }},
			{"std", func(w io.Writer) io.Writer {
				f, err := flate.NewWriter(w, flate.DefaultCompression)
				if err != nil {
					b.Fatal(err)
				}
				return flushing{f}
			}},
		} {
			b.Run(name+"/"+writer.name, func(b *testing.B) {
				var size int
				var out bytes.Buffer
				b.ReportAllocs()
				for b.Loop() {
					out.Reset()
					w := writer.new(&out)
					size = 0
					for _, chunk := range chunks {
						if _, err := w.Write(chunk); err != nil {
							b.Fatal(err)
						}
						size += len(chunk)
					}
				}
				b.SetBytes(int64(size))
				b.ReportMetric(float64(size)/float64(out.Len()), "ratio")
			})
		}
	}
}

type flushing struct{ *flate.Writer }

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	if err != nil {
		return n, err
	}
	return n, f.Flush()
}
