// Package segment keeps message bytes in an append-only log of bounded files.
//
// A segment file is a 16-byte header followed by records. A record is a 16-byte header (magic, codec, stored length,
// payload length, CRC32C over these and the stored bytes, all little-endian) and the stored bytes: the payload, or its
// compressed form where that saves at least a tenth. Records are never changed. A record is durable once Sync has
// returned; the caller then stores its Ref in its own metadata, so that metadata never points at missing bytes. Bytes
// without metadata (orphans, after a crash) are harmless.
//
// Files other than the last one are complete and durable: a segment is synced before its successor is
// created. Recovery therefore looks at the end of the last file only.
//
// Zeros may follow the last record: they are written ahead, so that most syncs change no file size.
//
// The space of records that nobody refers to any more is reclaimed by copying the others elsewhere, see compact.go.
package segment

import (
	"errors"
	"fmt"
)

const (
	// MaxRecord is the largest payload in bytes that Append takes.
	MaxRecord = 64 << 20
	// DefaultBytes is the size in bytes after which a new segment file is started.
	DefaultBytes = 256 << 20

	// Reserve is how many bytes on the disk should stay free when messages are appended, so that the metadata can still
	// be changed, and mail be removed, when there is no room for more.
	Reserve = 64 << 20

	recordHeader = 16
	fileHeader   = 16
)

// Errors that callers tell apart.
var (
	// ErrCorrupt means that bytes which were durable once are missing or different.
	ErrCorrupt = errors.New("segment is corrupt")
	// ErrFormat means that a file was written by another version of this program.
	ErrFormat = errors.New("segment has another format")
	// ErrTooLarge means that a payload is larger than MaxRecord.
	ErrTooLarge = errors.New("record is too large")
	// ErrFailed means that a sync has failed before: what is on disk is unknown until the log is opened again.
	ErrFailed = errors.New("log is closed for writing after a failed sync")
)

// Position is a place between two records.
type Position struct {
	Segment uint32
	Offset  int64
}

// Before tells whether p lies before q.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// Ref says where a record lies and what it must contain.
type Ref struct {
	Position
	Length uint32 // of the payload, bytes
	Stored uint32 // bytes on disk, header excluded
	Codec  Codec
	CRC    uint32 // CRC32C over codec, lengths and stored bytes
}

// Space is the number of bytes that records take on disk whose stored bytes are so many in all.
func Space(records, stored int64) int64 { return records*recordHeader + stored }

// Size is the number of bytes that the record takes on disk.
func (r Ref) Size() int64 { return Space(1, int64(r.Stored)) }

func (r Ref) String() string {
	return fmt.Sprintf("segment %d offset %d length %d stored %d %v", r.Segment, r.Offset, r.Length, r.Stored, r.Codec)
}
