package segment

import (
	"fmt"
	"testing"
)

var benchPayloads = []struct {
	name string
	raw  []byte
}{
	{"text=8K", text(8 << 10)},
	{"text=32K", text(32 << 10)},
	{"attachment=200K", append(text(8<<10), attachment(192<<10)...)},
}

// BenchmarkPack measures what a caller pays before a record is appended.
func BenchmarkPack(b *testing.B) {
	for _, p := range benchPayloads {
		b.Run(p.name, func(b *testing.B) {
			b.SetBytes(int64(len(p.raw)))
			b.ReportAllocs()
			var size int64
			for b.Loop() {
				r := Pack(p.raw)
				size = r.Size()
				r.Release()
			}
			b.ReportMetric(float64(size)/float64(len(p.raw)), "stored/byte")
		})
	}
}

// BenchmarkRead measures reads of records that the machine has in memory.
func BenchmarkRead(b *testing.B) {
	for _, p := range benchPayloads {
		l, _ := openLog(b, Options{Dir: b.TempDir()})
		ref := appendAll(b, l, p.raw)[0]
		var buf []byte
		for _, read := range []struct {
			name string
			f    func() error
		}{
			{"Read", func() error { _, err := l.Read(ref); return err }},
			{"ReadInto", func() (err error) { buf, err = l.ReadInto(ref, buf); return err }},
			{"Stored", func() error { r, err := l.Stored(ref); r.Release(); return err }},
		} {
			b.Run(p.name+"/"+read.name, func(b *testing.B) {
				b.SetBytes(int64(len(p.raw)))
				b.ReportAllocs()
				for b.Loop() {
					if err := read.f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSync measures durable batches.
func BenchmarkSync(b *testing.B) {
	for _, p := range benchPayloads {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", p.name, n), func(b *testing.B) {
				l, _ := openLog(b, Options{Dir: b.TempDir()})
				b.SetBytes(int64(n * len(p.raw)))
				for b.Loop() {
					for range n {
						r := Pack(p.raw)
						if _, err := l.Append(r); err != nil {
							b.Fatal(err)
						}
						r.Release()
					}
					if err := l.Sync(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
