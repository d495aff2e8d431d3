package segment

import "io"

const (
	// aheadBytes is how many zeros are written ahead at once.
	aheadBytes = 256 << 10
	// aheadBatch is how many bytes one sync may cover to have zeros written ahead: a longer one costs more than the
	// change of the file's size that goes with it.
	aheadBatch = 64 << 10
)

var zeros [aheadBytes]byte

// writeAhead writes zeros behind the last record, for the next records to overwrite: a sync that need not make a new
// size and new blocks durable needs no commit of the file system's journal. A message that is alone in its
// batch is stored in 430 µs instead of 540 on ext4 and a virtual disk. (Blocks that are only allocated, by
// fallocate, do not help: the journal must then note that they were written.)
func (l *Log) writeAhead() {
	if l.end <= l.ahead || l.end-l.synced > aheadBatch || l.end+aheadBytes > l.o.SegmentBytes {
		return
	}
	l.ahead = l.end + aheadBytes
	if err := writeFull(l.active, zeros[:], l.end); err != nil {
		l.cutAhead() // a full disk needs the room for something better
	}
}

// cutAhead takes zeros back that were written ahead. Should that fail, they do no harm.
func (l *Log) cutAhead() {
	if l.ahead > l.end {
		_ = l.active.Truncate(l.end)
	}
	l.ahead = 0
}

// tornBytes returns how many bytes from an offset on are not zeros written ahead.
func tornBytes(r io.ReaderAt, from, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	var torn int64
	for at := from; at < size; {
		part := buf[:min(int64(len(buf)), size-at)]
		if err := readFull(r, part, at); err != nil {
			return 0, err
		}
		for i, c := range part {
			if c != 0 {
				torn = at + int64(i) + 1 - from
			}
		}
		at += int64(len(part))
	}
	return torn, nil
}
