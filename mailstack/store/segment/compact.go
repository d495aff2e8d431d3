package segment

import (
	"errors"
	"fmt"
	"os"
)

// Space that records take which nobody refers to any more is got back in three steps: Stored reads the records of a
// segment that are still referred to, Append and Sync put them elsewhere, and Remove does away with the file once the
// caller's metadata say durably where they lie now. A crash between any two steps leaves the old place or both; a
// record that was appended and is not referred to is an orphan like any other.

// ErrInUse means that a segment is still appended to.
var ErrInUse = errors.New("segment is in use")

// Segment is one file of the log.
type Segment struct {
	Number uint32
	Bytes  int64
	Sealed bool // nothing is appended to it any more
}

// Segments lists the files in ascending order of their numbers.
func (l *Log) Segments() ([]Segment, error) {
	sealed := l.sealed.Load()
	numbers, err := l.list()
	if err != nil {
		return nil, err
	}
	segments := make([]Segment, 0, len(numbers))
	for _, n := range numbers {
		st, err := os.Stat(l.path(n))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("cannot get the size of segment %d: %w", n, err)
		}
		segments = append(segments, Segment{n, st.Size(), n <= sealed})
	}
	return segments, nil
}

// Size returns the bytes that all segment files take.
func (l *Log) Size() (int64, error) {
	segments, err := l.Segments()
	var sum int64
	for _, s := range segments {
		sum += s.Bytes
	}
	return sum, err
}

// Remove removes a segment that no durable metadata refer to. Reads that have begun are not disturbed; later ones find
// that it does not exist. ErrInUse: it is still appended to.
func (l *Log) Remove(number uint32) error {
	if number > l.sealed.Load() {
		return fmt.Errorf("cannot remove segment %d: %w", number, ErrInUse)
	}
	if err := l.o.FS.Remove(l.path(number)); err != nil {
		return fmt.Errorf("cannot remove segment %d: %w", number, err)
	}
	l.handles.forget(number)
	return nil
}
