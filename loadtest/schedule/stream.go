package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream is an independent, named random stream: the same seed, name and index
// always give the same numbers (PCG, seeded by the SHA-256 of the three).
func Stream(seed uint64, name string, index int) *rand.Rand {
	// Fixed widths first, so that no two triples share one text.
	b := binary.BigEndian.AppendUint64(nil, seed)
	b = binary.BigEndian.AppendUint64(b, uint64(index))
	sum := sha256.Sum256(append(b, name...))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
}
