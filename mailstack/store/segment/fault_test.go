package segment

import (
	"errors"
	"syscall"
	"testing"
)

// faulty is a file system whose writes and syncs fail on demand.
type faulty struct {
	OS
	write, sync, truncate, dir error
	free                       int64
	partial                    bool // a failing write leaves half of its bytes
	from                       int  // length of the shortest write that fails
}

type faultyFile struct {
	File
	fs *faulty
}

func (f *faulty) Open(path string, create bool) (File, error) {
	file, err := f.OS.Open(path, create)
	return faultyFile{file, f}, err
}

func (f *faulty) SyncDir(path string) error {
	if f.dir != nil {
		return f.dir
	}
	return f.OS.SyncDir(path)
}

func (f faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if f.fs.write == nil || len(b) < f.fs.from {
		return f.File.WriteAt(b, at)
	}
	if !f.fs.partial {
		return 0, f.fs.write
	}
	n, _ := f.File.WriteAt(b[:len(b)/2], at)
	return n, f.fs.write
}

func (f faultyFile) Sync() error {
	if f.fs.sync != nil {
		return f.fs.sync
	}
	return f.File.Sync()
}

func (f faultyFile) Truncate(size int64) error {
	if f.fs.truncate != nil {
		return f.fs.truncate
	}
	return f.File.Truncate(size)
}

func TestFaults(t *testing.T) {
	full := syscall.ENOSPC
	tests := []struct {
		name   string
		fault  faulty
		size   int
		sealed bool // the log refuses writes afterwards
	}{
		{"write", faulty{write: full}, 100, false},
		{"half a write", faulty{write: full, partial: true}, 100, false},
		{"half of a big write", faulty{write: full, partial: true}, 1 << 20, false},
		{"sync", faulty{sync: syscall.EIO}, 100, true},
		{"write and truncate", faulty{write: full, truncate: syscall.EIO}, 100, true},
		{"write in a new segment", faulty{write: full, partial: true}, 3 << 20, false},
		{"sync of a new segment", faulty{sync: syscall.EIO}, 3 << 20, true},
		{"sync of the folder", faulty{dir: syscall.EIO}, 3 << 20, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := &faulty{}
			o := Options{Dir: t.TempDir(), FS: fs, SegmentBytes: 2 << 20}
			l, _ := openLog(t, o)
			payload := noise(tt.size)
			refs := appendAll(t, l, []byte("before"))
			before := l.End()

			*fs = tt.fault
			_, err := l.Append(Pack(payload))
			if err == nil {
				err = l.Sync()
			}
			if err == nil {
				t.Fatal("no error")
			}
			if errors.Is(err, ErrFailed) != tt.sealed && l.failed == nil {
				t.Errorf("error %v", err)
			}
			*fs = faulty{}
			_, err = l.Append(Pack(payload))
			if err == nil {
				err = l.Sync()
			}
			if errors.Is(err, ErrFailed) != tt.sealed || err != nil && !tt.sealed {
				t.Errorf("after the fault: %v", err)
			}
			checkAll(t, l, refs, []byte("before"))

			l.Close()
			o.Acknowledged = before
			l, rec := openLog(t, o)
			if rec.Damage != nil {
				t.Errorf("damage %v", rec.Damage)
			}
			checkAll(t, l, refs, []byte("before"))
			checkAll(t, l, appendAll(t, l, []byte("after")), []byte("after"))
		})
	}
}

func (f *faulty) Free(string) (int64, error) { return f.free, f.dir }

func TestRoom(t *testing.T) {
	fs := &faulty{free: Reserve + 100}
	l, _ := openLog(t, Options{Dir: t.TempDir(), FS: fs})
	if err := l.Room(100, Reserve); err != nil {
		t.Error(err)
	}
	if err := l.Room(101, Reserve); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if err := (&Log{o: Options{Dir: t.TempDir(), FS: OS{}}}).Room(0, Reserve); err != nil {
		t.Errorf("on a real disk: %v", err)
	}
}
