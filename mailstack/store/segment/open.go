package segment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Options say where and how a log is kept.
type Options struct {
	Dir          string
	SegmentBytes int64 // 0: DefaultBytes
	FS           FS    // nil: OS
	// Acknowledged is the end of what the caller's metadata refers to. What lies behind it was never
	// acknowledged to anybody, so a torn tail there is cut off.
	Acknowledged Position
}

// Recovery says what Open found.
type Recovery struct {
	Truncated int64   // bytes of a torn tail that were cut off, without zeros at its end
	Orphans   int     // whole records behind Options.Acknowledged
	Damage    []error // acknowledged bytes that are missing; each wraps ErrCorrupt
}

// Open opens or creates a log and brings its end into order. Missing acknowledged bytes are reported in
// Recovery and do not keep the log from opening: the other messages can still be read, and writing goes on
// in a new segment, so that nothing is ever written over a damaged place.
func Open(o Options) (*Log, Recovery, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultBytes
	}
	if o.FS == nil {
		o.FS = OS{}
	}
	var rec Recovery
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, rec, fmt.Errorf("cannot create the segment folder: %w", err)
	}
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		return nil, rec, fmt.Errorf("cannot sync the folder above the segments: %w", err)
	}
	l := &Log{o: o}
	numbers, err := l.list()
	if err != nil {
		return nil, rec, err
	}
	next := o.Acknowledged.Segment + 1
	if n := len(numbers); n > 0 {
		last := numbers[n-1]
		usable, err := l.recover(last, &rec)
		if err != nil {
			return nil, rec, err
		}
		if usable {
			return l, rec, nil
		}
		next = max(next, last+1)
	} else if o.Acknowledged.Segment > 0 {
		rec.Damage = append(rec.Damage, fmt.Errorf("%w: segment %d is missing", ErrCorrupt, o.Acknowledged.Segment))
	}
	if err := l.create(next); err != nil {
		return nil, rec, err
	}
	return l, rec, nil
}

// recover brings the last file into order and makes it the active one if it can be written on.
func (l *Log) recover(last uint32, rec *Recovery) (usable bool, err error) {
	f, err := l.o.FS.Open(l.path(last), false)
	if err != nil {
		return false, fmt.Errorf("cannot open segment %d: %w", last, err)
	}
	defer func() {
		if !usable {
			f.Close()
		}
	}()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("cannot get the size of segment %d: %w", last, err)
	}
	ack := l.o.Acknowledged
	from := int64(fileHeader)
	if ack.Segment == last {
		from = max(from, ack.Offset)
	}
	damage := l.damage(f, last, size)
	if errors.Is(damage, ErrFormat) {
		return false, damage
	}
	if damage != nil && ack.Segment < last {
		// A crash while the file was being created: nothing in it was ever acknowledged.
		return false, l.discard(last, size, rec)
	}
	if damage != nil {
		rec.Damage = append(rec.Damage, damage)
		return false, nil
	}
	end, err := Scan(f, last, from, size, func(Ref) error { rec.Orphans++; return nil })
	if err != nil {
		return false, fmt.Errorf("cannot read segment %d: %w", last, err)
	}
	if end < size {
		if rec.Truncated, err = tornBytes(f, end, size); err != nil {
			return false, fmt.Errorf("cannot read the tail of segment %d: %w", last, err)
		}
		if err := f.Truncate(end); err != nil {
			return false, fmt.Errorf("cannot cut off the torn tail of segment %d: %w", last, err)
		}
	}
	// Also the whole records may never have been synced.
	if err := f.Sync(); err != nil {
		return false, fmt.Errorf("cannot sync segment %d: %w", last, err)
	}
	l.activate(f, last, end)
	return true, nil
}

// damage tells what is missing in front of the acknowledged position.
func (l *Log) damage(f File, number uint32, size int64) error {
	head := make([]byte, fileHeader)
	if size < fileHeader {
		return fmt.Errorf("%w: segment %d has %d bytes", ErrCorrupt, number, size)
	}
	if err := readFull(f, head, 0); err != nil {
		return fmt.Errorf("%w: cannot read the header of segment %d: %w", ErrCorrupt, number, err)
	}
	if err := checkFileHeader(head, number); err != nil {
		return err
	}
	switch ack := l.o.Acknowledged; {
	case ack.Segment > number:
		return fmt.Errorf("%w: segment %d is missing", ErrCorrupt, ack.Segment)
	case ack.Segment == number && ack.Offset > size:
		return fmt.Errorf("%w: segment %d has %d bytes, %d were acknowledged", ErrCorrupt, number, size, ack.Offset)
	}
	return nil
}

func (l *Log) discard(number uint32, size int64, rec *Recovery) error {
	rec.Truncated = size
	if err := l.o.FS.Remove(l.path(number)); err != nil {
		return fmt.Errorf("cannot remove the unfinished segment %d: %w", number, err)
	}
	return nil
}

func (l *Log) path(number uint32) string {
	return filepath.Join(l.o.Dir, fmt.Sprintf("%010d.seg", number))
}

// list returns the numbers of the segment files in ascending order.
func (l *Log) list() ([]uint32, error) {
	entries, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list segments: %w", err)
	}
	var numbers []uint32
	for _, e := range entries {
		var n uint32
		if _, err := fmt.Sscanf(e.Name(), "%010d.seg", &n); err != nil || filepath.Base(l.path(n)) != e.Name() {
			continue
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}
