package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Record is a payload as it will lie in the log. Pack makes it from a message, Log.Stored from another record.
type Record struct {
	bytes  []byte // header excluded
	length uint32 // of the payload
	codec  Codec
	crc    uint32
	buf    *[]byte // that bytes lie in; nil if they are the caller's
}

// Pack prepares a payload for Append: it is compressed if that pays, and its checksum is computed, so that the
// log's one writer need not do that. The record refers to raw's memory or to a buffer that Release gives back.
// A payload longer than MaxRecord is for Append to refuse.
func Pack(raw []byte) Record {
	if len(raw) > MaxRecord {
		return Record{bytes: raw}
	}
	r := Record{bytes: raw, length: uint32(len(raw))}
	if r.buf = compress(raw); r.buf != nil {
		r.bytes, r.codec = *r.buf, Zstd
	}
	r.crc = r.ref().checksum(r.bytes)
	return r
}

// Size is the number of bytes that the record takes on disk.
func (r Record) Size() int64 { return Space(1, int64(len(r.bytes))) }

// Release gives the record's buffer back. Nobody may use the record any more.
func (r Record) Release() { putBuffer(r.buf) }

// ref has everything but a position.
func (r Record) ref() Ref {
	return Ref{Length: r.length, Stored: uint32(len(r.bytes)), Codec: r.codec, CRC: r.crc}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordMagic is "RGS" on disk; the codec follows.
const recordMagic = 0x534752

var fileMagic = [6]byte{'M', 'S', 'G', 'S', 'E', 'G'}

// fileVersion follows fileMagic. Version 01 knew no codecs.
var fileVersion = [2]byte{'0', '2'}

func appendFileHeader(b []byte, number uint32) []byte {
	b = append(append(b, fileMagic[:]...), fileVersion[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(number))
}

func checkFileHeader(b []byte, number uint32) error {
	if len(b) != fileHeader || [6]byte(b) != fileMagic {
		return fmt.Errorf("%w: segment %d has no header", ErrCorrupt, number)
	}
	if got := [2]byte(b[6:]); got != fileVersion {
		return fmt.Errorf("%w: segment %d has format %q; this program knows %q", ErrFormat, number, got[:], fileVersion[:])
	}
	if got := binary.LittleEndian.Uint64(b[8:]); got != uint64(number) {
		return fmt.Errorf("%w: segment %d calls itself %d", ErrCorrupt, number, got)
	}
	return nil
}

// appendHeader writes what comes before the bytes: magic and codec, their number, the payload's length, checksum.
func (r Ref) appendHeader(b []byte) []byte {
	b = r.appendLengths(b)
	return binary.LittleEndian.AppendUint32(b, r.CRC)
}

func (r Ref) appendLengths(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, recordMagic|uint32(r.Codec)<<24)
	b = binary.LittleEndian.AppendUint32(b, r.Stored)
	return binary.LittleEndian.AppendUint32(b, r.Length)
}

// checksum is that of the header up to it and of the bytes on disk, so that a scrub need not decompress.
func (r Ref) checksum(stored []byte) uint32 {
	return crc32.Update(r.headerChecksum(), castagnoli, stored)
}

func (r Ref) headerChecksum() uint32 {
	var b [recordHeader]byte
	return crc32.Checksum(r.appendLengths(b[:0]), castagnoli)
}

// parseHeader reads the header of a record at a position; it is not ok if there is none.
func parseHeader(b []byte, at Position) (r Ref, ok bool) {
	word := binary.LittleEndian.Uint32(b)
	r = Ref{
		Position: at, Codec: Codec(word >> 24), Stored: binary.LittleEndian.Uint32(b[4:]),
		Length: binary.LittleEndian.Uint32(b[8:]), CRC: binary.LittleEndian.Uint32(b[12:]),
	}
	return r, word&0xffffff == recordMagic && r.check() == nil
}

// check tells whether there can be such a record.
func (r Ref) check() error {
	switch {
	case r.Length > MaxRecord:
		return fmt.Errorf("%w: %v: longer than any record", ErrCorrupt, r)
	case r.Codec == None && r.Stored == r.Length, r.Codec == Zstd && r.Stored < r.Length:
		return nil
	}
	return fmt.Errorf("%w: %v: no such record", ErrCorrupt, r)
}

// Scan reads the records of one segment from an offset on and yields each whole one. It returns the offset
// behind the last whole record; bytes between that and size are torn, damaged or not yet written. An error is one of
// reading or of yield. No more than a small buffer is held, whatever a damaged length says.
func Scan(r io.ReaderAt, segment uint32, from, size int64, yield func(Ref) error) (end int64, err error) {
	buf := make([]byte, 64<<10)
	at := from
	for at+recordHeader <= size {
		if err := readFull(r, buf[:recordHeader], at); err != nil {
			return at, err
		}
		ref, ok := parseHeader(buf, Position{segment, at})
		if !ok || at+ref.Size() > size {
			return at, nil
		}
		sum := ref.headerChecksum()
		for done := int64(0); done < int64(ref.Stored); {
			part := buf[:min(int64(len(buf)), int64(ref.Stored)-done)]
			if err := readFull(r, part, at+recordHeader+done); err != nil {
				return at, err
			}
			sum = crc32.Update(sum, castagnoli, part)
			done += int64(len(part))
		}
		if sum != ref.CRC {
			return at, nil
		}
		if err := yield(ref); err != nil {
			return at, err
		}
		at += ref.Size()
	}
	return at, nil
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}
