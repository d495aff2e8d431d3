package segment

import "fmt"

// Read returns the payload of a record after checking it against its checksum.
// An error that wraps ErrCorrupt means that the bytes are not those that were written; one that wraps
// fs.ErrNotExist that the segment is not there, because it is lost or was removed.
func (l *Log) Read(ref Ref) ([]byte, error) { return l.ReadInto(ref, nil) }

// ReadInto is Read into the caller's memory if its capacity suffices, whatever its length.
func (l *Log) ReadInto(ref Ref, buf []byte) ([]byte, error) {
	if ref.Codec == None {
		ref.Stored = ref.Length
	}
	if err := ref.check(); err != nil {
		return nil, err
	}
	if ref.Codec == None {
		buf = sized(buf, int(ref.Length))
		return buf, l.readStored(ref, buf)
	}
	stored := getBuffer(int(ref.Stored))
	defer putBuffer(stored)
	if err := l.readStored(ref, *stored); err != nil {
		return nil, err
	}
	buf = sized(buf, int(ref.Length))
	if err := decompress(buf, *stored); err != nil {
		return nil, fmt.Errorf("%w: cannot decompress %v: %w", ErrCorrupt, ref, err)
	}
	return buf, nil
}

// Stored returns a record as it lies on disk after checking it against its checksum, to be checked or appended elsewhere.
// Errors are those of Read.
func (l *Log) Stored(ref Ref) (Record, error) {
	if err := ref.check(); err != nil {
		return Record{}, err
	}
	buf := getBuffer(int(ref.Stored))
	if err := l.readStored(ref, *buf); err != nil {
		putBuffer(buf)
		return Record{}, err
	}
	return Record{bytes: *buf, length: ref.Length, codec: ref.Codec, crc: ref.CRC, buf: buf}, nil
}

// readStored fills b with a record's bytes. The header need not be read: the checksum covers what it says.
func (l *Log) readStored(ref Ref, b []byte) error {
	h, err := l.handles.acquire(ref.Segment, l.path)
	if err != nil {
		return fmt.Errorf("cannot open segment %d: %w", ref.Segment, err)
	}
	defer l.handles.release(h)
	if err := readFull(h.file, b, ref.Offset+recordHeader); err != nil {
		return fmt.Errorf("%w: cannot read %v: %w", ErrCorrupt, ref, err)
	}
	if ref.checksum(b) != ref.CRC {
		return fmt.Errorf("%w: %v: checksum differs", ErrCorrupt, ref)
	}
	return nil
}
