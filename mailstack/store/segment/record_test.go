package segment

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func appendRecord(b []byte, r Record) []byte {
	return append(r.ref().appendHeader(b), r.bytes...)
}

func FuzzScan(f *testing.F) {
	good := appendFileHeader(nil, 1)
	for _, p := range []string{"a", "", "some bytes"} {
		good = appendRecord(good, Pack([]byte(p)))
	}
	good = appendRecord(good, Pack(bytes.Repeat([]byte("again "), compressFrom)))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(good, make([]byte, 100)...))
	f.Add(append(good, 0x52, 0x47, 0x53, 0, 0xff, 0xff, 0xff, 0x03, 0xff, 0xff, 0xff, 0x03, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		at := int64(fileHeader)
		end, err := Scan(bytes.NewReader(b), 1, fileHeader, int64(len(b)), func(r Ref) error {
			if r.Offset != at {
				return fmt.Errorf("record at %d, expected at %d", r.Offset, at)
			}
			at += r.Size()
			if r.checksum(b[r.Offset+recordHeader:at]) != r.CRC {
				return errors.New("wrong checksum was accepted")
			}
			return nil
		})
		if err != nil || end != at || at > fileHeader && at > int64(len(b)) {
			t.Fatalf("end %d, expected %d: %v", end, at, err)
		}
	})
}

// FuzzRead reads records whose checksum is right and whose compressed bytes may be anything.
func FuzzRead(f *testing.F) {
	packed := Pack(bytes.Repeat([]byte("again "), compressFrom))
	f.Add(packed.bytes, uint32(6*compressFrom))
	f.Add(packed.bytes, uint32(6*compressFrom-1))
	f.Add(packed.bytes, uint32(6*compressFrom+1))
	f.Add(append(packed.bytes[:len(packed.bytes):len(packed.bytes)], packed.bytes...), uint32(6*compressFrom))
	f.Add([]byte{}, uint32(1))
	l, _ := openLog(f, Options{Dir: f.TempDir()})
	f.Fuzz(func(t *testing.T, stored []byte, length uint32) {
		length %= 1 << 20
		r := Record{bytes: stored, length: length, codec: Zstd}
		r.crc = r.ref().checksum(stored)
		ref, err := l.Append(r)
		if err == nil {
			err = l.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, length, length+1)
		buf[:length+1][length] = 'x'
		got, err := l.ReadInto(ref, buf)
		if err == nil && len(got) != int(length) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d bytes of %d: %v", len(got), length, err)
		}
		if buf[:length+1][length] != 'x' {
			t.Fatal("wrote behind the length")
		}
	})
}

func TestOldFormat(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	l, _ := openLog(t, o)
	appendAll(t, l, []byte("x"))
	l.Close()
	flip(t, l.path(1), 7)
	if _, _, err := Open(o); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
}
