package fulltext

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A block has the signatures of 2^n bits of rows(n) messages, turned: first bit 0 of all of them, then bit 1, and so on. Every
// block has blockBytes, cut into groups for storing.
const (
	blockBytes = 1 << 20
	groupBytes = 1 << 10
	groups     = blockBytes / groupBytes
)

// rows is the number of messages in a block: a multiple of 64.
func rows(log int) int { return blockBytes * 8 >> log }

// turn makes a block of signatures of 2^log bits, rows(log) of them.
func turn(signatures [][]byte, log int) []byte {
	block := make([]byte, blockBytes)
	stride := rows(log) / 8
	var square [64]uint64
	for first := 0; first < len(signatures); first += 64 {
		for word := range 1 << log / 64 {
			for i := range square {
				square[i] = binary.LittleEndian.Uint64(signatures[first+i][8*word:])
			}
			transpose(&square)
			for i, w := range square {
				binary.LittleEndian.PutUint64(block[(64*word+i)*stride+first/8:], w)
			}
		}
	}
	return block
}

// transpose turns a square of bits: bit j of word i becomes bit i of word j.
func transpose(a *[64]uint64) {
	mask := uint64(0x00000000ffffffff)
	for width := 32; width > 0; width >>= 1 {
		for i := 0; i < 64; i = (i + width + 1) &^ width {
			swap := (a[i]>>width ^ a[i+width]) & mask
			a[i] ^= swap << width
			a[i+width] ^= swap
		}
		mask ^= mask << (width / 2)
	}
}

// slice says where the bits of one place lie in a block: in which group, and from which byte of it.
func slice(place uint32, log int) (group, offset int) {
	at := int(place&(1<<log-1)) * (rows(log) / 8)
	return at / groupBytes, at % groupBytes
}

// errDamaged means that an index cannot be trusted.
var errDamaged = errors.New("search index is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends a checksum of a row's key and what it holds. Files are not synced: after a power loss SQLite may find rows
// that are not what they seem, and a wrong bit would hide a message.
func seal(key int64, b []byte) []byte { return binary.LittleEndian.AppendUint32(b, checksum(key, b)) }

// unseal checks and removes it.
func unseal(key int64, b []byte) ([]byte, error) {
	n := len(b) - 4
	if n < 0 || checksum(key, b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errDamaged
	}
	return b[:n:n], nil
}

func checksum(key int64, b []byte) uint32 {
	var first [8]byte
	binary.LittleEndian.PutUint64(first[:], uint64(key))
	return crc32.Update(crc32.Checksum(first[:], castagnoli), castagnoli, b)
}
