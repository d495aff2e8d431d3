package segment

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func openLog(t testing.TB, o Options) (*Log, Recovery) {
	t.Helper()
	l, rec, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, rec
}

func appendAll(t testing.TB, l *Log, payloads ...[]byte) []Ref {
	t.Helper()
	var refs []Ref
	for _, p := range payloads {
		ref, err := l.Append(Pack(p))
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	return refs
}

func checkAll(t testing.TB, l *Log, refs []Ref, payloads ...[]byte) {
	t.Helper()
	for i, ref := range refs {
		got, err := l.Read(ref)
		if err != nil {
			t.Errorf("record %d: %v", i, err)
		} else if !bytes.Equal(got, payloads[i]) {
			t.Errorf("record %d differs", i)
		}
	}
}

func TestAppendReadAcrossSegments(t *testing.T) {
	var payloads [][]byte
	for i := range 200 {
		payloads = append(payloads, bytes.Repeat([]byte{byte(i)}, i*37%5000))
	}
	payloads = append(payloads, bytes.Repeat([]byte("big"), 300_000), []byte{}, []byte("last"))
	o := Options{Dir: filepath.Join(t.TempDir(), "segments"), SegmentBytes: 64 << 10}
	l, _ := openLog(t, o)
	refs := appendAll(t, l, payloads...)
	checkAll(t, l, refs, payloads...)
	if l.End().Segment < 5 {
		t.Errorf("only %d segments", l.End().Segment)
	}
	o.Acknowledged = l.End()
	l.Close()

	l, rec := openLog(t, o)
	if rec.Truncated != 0 || rec.Orphans != 0 || rec.Damage != nil {
		t.Errorf("recovery %+v", rec)
	}
	checkAll(t, l, refs, payloads...)
	more := appendAll(t, l, []byte("after"))
	checkAll(t, l, more, []byte("after"))
}

func TestTooLarge(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir()})
	if _, err := l.Append(Pack(make([]byte, MaxRecord+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestTornTail cuts the last file at every length behind the acknowledged position.
func TestTornTail(t *testing.T) {
	first, second, third := []byte("first"), []byte("second one"), bytes.Repeat([]byte("third"), 20)
	dir := t.TempDir()
	l, _ := openLog(t, Options{Dir: dir})
	refs := appendAll(t, l, first)
	ack := l.End()
	refs = append(refs, appendAll(t, l, second, third)...)
	end := l.End()
	l.Close()
	whole, err := os.ReadFile(l.path(1))
	if err != nil {
		t.Fatal(err)
	}
	for cut := ack.Offset; cut <= end.Offset; cut++ {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(l.path(1))), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, rec := openLog(t, Options{Dir: dir, Acknowledged: ack})
		wantEnd, wantOrphans := ack.Offset, 0
		if cut >= refs[2].Offset {
			wantEnd, wantOrphans = refs[2].Offset, 1
		}
		if cut == end.Offset {
			wantEnd, wantOrphans = end.Offset, 2
		}
		torn := int64(len(bytes.TrimRight(whole[wantEnd:cut], "\x00")))
		if rec.Damage != nil || rec.Orphans != wantOrphans || rec.Truncated != torn || l.End().Offset != wantEnd {
			t.Fatalf("cut at %d: %+v, end %v", cut, rec, l.End())
		}
		checkAll(t, l, refs[:1], first)
		checkAll(t, l, appendAll(t, l, third), third)
		l.Close()
	}
}

func TestDamage(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), 1000)
	tests := []struct {
		name   string
		harm   func(t *testing.T, l *Log)
		damage int
		broken []int // records that can no longer be read
	}{
		{"acknowledged bytes cut off", func(t *testing.T, l *Log) { truncate(t, l.path(l.number), 500) }, 1, []int{2}},
		{"last file lost", func(t *testing.T, l *Log) { remove(t, l.path(l.number)) }, 1, []int{2}},
		{"all files lost", func(t *testing.T, l *Log) {
			for n := uint32(1); n <= l.number; n++ {
				remove(t, l.path(n))
			}
		}, 1, []int{0, 1, 2}},
		{"header of the last file lost", func(t *testing.T, l *Log) { flip(t, l.path(l.number), 3) }, 1, nil},
		{"byte changed in an older file", func(t *testing.T, l *Log) { flip(t, l.path(1), 600) }, 0, []int{0}},
		// A Ref says all that the header of its record does.
		{"length changed in an older file", func(t *testing.T, l *Log) { flip(t, l.path(2), fileHeader+5) }, 0, nil},
		{"unfinished new file", func(t *testing.T, l *Log) {
			if err := os.WriteFile(l.path(l.number+1), []byte("MSG"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), SegmentBytes: 1100}
			l, _ := openLog(t, o)
			refs := appendAll(t, l, payload, payload, payload)
			o.Acknowledged = l.End()
			l.Close()
			tt.harm(t, l)
			l, rec := openLog(t, o)
			if len(rec.Damage) != tt.damage {
				t.Errorf("damage %v", rec.Damage)
			}
			for _, err := range rec.Damage {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v does not wrap ErrCorrupt", err)
				}
			}
			broken := map[int]bool{}
			for _, i := range tt.broken {
				broken[i] = true
			}
			for i, ref := range refs {
				if _, err := l.Read(ref); (err != nil) != broken[i] {
					t.Errorf("record %d: %v", i, err)
				}
			}
			if l.End().Before(o.Acknowledged) {
				t.Errorf("would write at %v, before %v", l.End(), o.Acknowledged)
			}
			checkAll(t, l, appendAll(t, l, payload), payload)
		})
	}
}

func truncate(t *testing.T, path string, size int64) {
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, at int) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 0x40
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadRefusesWrongRef(t *testing.T) {
	l, _ := openLog(t, Options{Dir: t.TempDir()})
	ref := appendAll(t, l, []byte("hello"))[0]
	for name, change := range map[string]func(*Ref){
		"crc":     func(r *Ref) { r.CRC++ },
		"length":  func(r *Ref) { r.Length-- },
		"longer":  func(r *Ref) { r.Length += 1000 },
		"huge":    func(r *Ref) { r.Length = 1<<32 - 1 },
		"offset":  func(r *Ref) { r.Offset++ },
		"segment": func(r *Ref) { r.Segment = 9 },
	} {
		wrong := ref
		change(&wrong)
		if _, err := l.Read(wrong); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}
