package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const recordMagic = 0x4d534752 // "RGSM" on disk

var fileMagic = [8]byte{'M', 'S', 'G', 'S', 'E', 'G', '0', '1'}

func appendFileHeader(b []byte, number uint32) []byte {
	b = append(b, fileMagic[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(number))
}

func checkFileHeader(b []byte, number uint32) error {
	if len(b) != fileHeader || [8]byte(b[:8]) != fileMagic {
		return fmt.Errorf("%w: segment %d has no header", ErrCorrupt, number)
	}
	if got := binary.LittleEndian.Uint64(b[8:]); got != uint64(number) {
		return fmt.Errorf("%w: segment %d calls itself %d", ErrCorrupt, number, got)
	}
	return nil
}

// checksum covers the length too, so that a length that was damaged is noticed.
func checksum(length uint32, payload []byte) uint32 {
	var l [4]byte
	binary.LittleEndian.PutUint32(l[:], length)
	return crc32.Update(crc32.Update(0, castagnoli, l[:]), castagnoli, payload)
}

func appendRecordHeader(b []byte, length, crc uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, recordMagic)
	b = binary.LittleEndian.AppendUint32(b, length)
	return binary.LittleEndian.AppendUint32(b, crc)
}

func parseRecordHeader(b []byte) (length, crc uint32, err error) {
	if binary.LittleEndian.Uint32(b) != recordMagic {
		return 0, 0, fmt.Errorf("%w: no record here", ErrCorrupt)
	}
	length = binary.LittleEndian.Uint32(b[4:])
	if length > MaxRecord {
		return 0, 0, fmt.Errorf("%w: record of %d bytes", ErrCorrupt, length)
	}
	return length, binary.LittleEndian.Uint32(b[8:]), nil
}

// Scan reads the records of one segment from an offset on and yields each whole one. It returns the offset
// behind the last whole record; bytes between that and size are torn or damaged. An error is one of
// reading or of yield. No more than a small buffer is held, whatever a damaged length says.
func Scan(r io.ReaderAt, segment uint32, from, size int64, yield func(Ref) error) (end int64, err error) {
	buf := make([]byte, 64<<10)
	at := from
	for at+recordHeader <= size {
		if err := readFull(r, buf[:recordHeader], at); err != nil {
			return at, err
		}
		length, crc, err := parseRecordHeader(buf)
		if err != nil || at+recordHeader+int64(length) > size {
			return at, nil
		}
		var l [4]byte
		binary.LittleEndian.PutUint32(l[:], length)
		sum := crc32.Update(0, castagnoli, l[:])
		for done := int64(0); done < int64(length); {
			part := buf[:min(int64(len(buf)), int64(length)-done)]
			if err := readFull(r, part, at+recordHeader+done); err != nil {
				return at, err
			}
			sum = crc32.Update(sum, castagnoli, part)
			done += int64(len(part))
		}
		if sum != crc {
			return at, nil
		}
		if err := yield(Ref{Position{segment, at}, length, crc}); err != nil {
			return at, err
		}
		at += recordHeader + int64(length)
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
