package segment

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// TestAhead looks at the size of the file after batches of several lengths.
func TestAhead(t *testing.T) {
	tests := []struct {
		name         string
		segmentBytes int64
		batches      []int // lengths
		size         int64 // of the last file
	}{
		{"small", 1 << 20, []int{1000}, fileHeader + recordHeader + 1000 + aheadBytes},
		{"small ones", 1 << 20, []int{1000, 1000, 1000}, fileHeader + recordHeader + 1000 + aheadBytes},
		{"large", 1 << 20, []int{100_000}, fileHeader + recordHeader + 100_000},
		{"large one over zeros", 1 << 20, []int{1000, 100_000}, fileHeader + recordHeader + 1000 + aheadBytes},
		{"beyond the zeros", 1 << 20, []int{1000, 200_000, 64_000}, fileHeader + 3*recordHeader + 265_000 + aheadBytes},
		{"at the end of the file", 300_000, []int{100_000, 1000}, fileHeader + 2*recordHeader + 101_000},
		{"in the next file", 600_000, []int{200_000, 200_000, 1000, 250_000, 1000}, fileHeader + 2*recordHeader + 251_000 + aheadBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), SegmentBytes: tt.segmentBytes}
			l, _ := openLog(t, o)
			var payloads [][]byte
			var refs []Ref
			for _, n := range tt.batches {
				payloads = append(payloads, noise(n))
				refs = append(refs, appendAll(t, l, noise(n))...)
			}
			if got := fileSize(t, l.path(l.number)); got != tt.size {
				t.Errorf("%d bytes, expected %d", got, tt.size)
			}
			for n := uint32(1); n < l.number; n++ {
				if got := fileSize(t, l.path(n)); got > tt.segmentBytes {
					t.Errorf("segment %d has %d bytes", n, got)
				}
			}
			// As after a crash: the zeros are still there.
			o.Dir = filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(o.Dir, os.DirFS(l.o.Dir)); err != nil {
				t.Fatal(err)
			}
			o.Acknowledged = l.End()
			again, rec := openLog(t, o)
			if rec.Damage != nil || rec.Truncated != 0 || rec.Orphans != 0 || again.End() != l.End() {
				t.Errorf("recovery %+v, end %v", rec, again.End())
			}
			checkAll(t, again, refs, payloads...)
			l.Close()
			if got := fileSize(t, l.path(l.number)); got != l.end {
				t.Errorf("%d bytes after the end, expected %d", got, l.end)
			}
		})
	}
}

// TestAheadOnFullDisk has room for the record and for half of the zeros.
func TestAheadOnFullDisk(t *testing.T) {
	fs := &faulty{}
	l, _ := openLog(t, Options{Dir: t.TempDir(), FS: fs})
	fs.write, fs.partial, fs.from = syscall.ENOSPC, true, 1000
	refs := appendAll(t, l, noise(500))
	if got := fileSize(t, l.path(1)); got != l.end {
		t.Errorf("%d bytes, expected %d", got, l.end)
	}
	*fs = faulty{}
	checkAll(t, l, append(refs, appendAll(t, l, noise(600))...), noise(500), noise(600))
}
