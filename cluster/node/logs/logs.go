// Package logs keeps the output of containers on disk and reads it back for kubectl logs.
//
// A container writes straight into a file opened for appending: nothing stands between them, so a container neither
// waits for the node nor loses output while the node is down. The price is that the file holds the bytes alone. When
// they were written is kept beside it, as samples of (time, size) taken about once a second, which is the precision of
// times. The file is kept small by giving its head back to the file system (a hole), which, unlike renaming and
// truncating, loses nothing the container writes meanwhile.
package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"golang.org/x/sys/unix"
)

// SampleInterval is how often Sample should be called.
const SampleInterval = time.Second

// Limits of one container's log.
const (
	// MaxBytes is how much of a log is kept; up to twice as much is on disk.
	MaxBytes = 10 << 20
	// maxSamples bounds the index: old samples are thinned out beyond it.
	maxSamples = 4096
	sampleSize = 16
)

// sample says that everything before Size was written by the time At.
type sample struct {
	at   int64 // nanoseconds since 1970
	size int64
}

// Log is the log of one run of a container. It is used by one goroutine.
type Log struct {
	path    string
	samples []sample
	// start is the offset of the first byte that is kept.
	start int64
}

// Create makes the file a container's output goes to, owned by the container's user so that it may open /dev/stdout.
// The caller closes it once the container has inherited it.
func Create(path string, uid, gid int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("cannot create the log: %w", err)
	}
	if os.Geteuid() == 0 {
		if err := f.Chown(uid, gid); err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot create the log: %w", err)
		}
	}
	return f, nil
}

// Open returns the log at path, with the samples of earlier runs of the node.
func Open(path string) *Log {
	l := &Log{path: path}
	l.samples = readIndex(path)
	if len(l.samples) > 0 && l.samples[0].at == 0 {
		l.start = l.samples[0].size
		l.samples = l.samples[1:]
	}
	return l
}

// Sample records how far the log has come and gives up its head when it is too long.
func (l *Log) Sample(now time.Time) error {
	info, err := os.Stat(l.path)
	if err != nil {
		return fmt.Errorf("cannot sample the log: %w", err)
	}
	size := info.Size()
	if n := len(l.samples); n > 0 {
		if last := l.samples[n-1].size; size == last {
			return nil
		} else if size < last { // the container truncated it
			l.samples, l.start = nil, 0
			_ = os.Remove(indexPath(l.path))
		}
	}
	if size == 0 {
		return nil
	}
	l.samples = append(l.samples, sample{at: now.UnixNano(), size: size})
	if size-l.start > 2*MaxBytes {
		if err := l.drop(size - MaxBytes); err != nil {
			return err
		}
		return l.writeIndex()
	}
	if len(l.samples) > maxSamples {
		l.thin()
		return l.writeIndex()
	}
	return l.appendIndex()
}

// drop gives everything before offset back to the file system.
func (l *Log) drop(offset int64) error {
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot shorten the log: %w", err)
	}
	defer f.Close()
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, offset)
	if errors.Is(err, unix.EOPNOTSUPP) {
		// A file system without holes: losing the log is better than filling the disk.
		l.samples, l.start = nil, 0
		return f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("cannot shorten the log: %w", err)
	}
	// The first line that is kept begins after the next line end.
	l.start = offset + nextLine(f, offset)
	first := sort.Search(len(l.samples), func(i int) bool { return l.samples[i].size > l.start })
	l.samples = l.samples[first:]
	return nil
}

// nextLine returns the distance from offset to the start of a line.
func nextLine(f *os.File, offset int64) int64 {
	buf := make([]byte, 64<<10)
	n, _ := f.ReadAt(buf, offset)
	for i, b := range buf[:n] {
		if b == '\n' {
			return int64(i) + 1
		}
	}
	return 0
}

// thin drops every other sample: older times become less precise.
func (l *Log) thin() {
	kept := l.samples[:0]
	for i, s := range l.samples {
		if i%2 == 1 || i == len(l.samples)-1 {
			kept = append(kept, s)
		}
	}
	l.samples = kept
}

func indexPath(path string) string { return path + ".times" }

// appendIndex adds the last sample to the index file. It needs no sync: a lost sample costs precision only.
func (l *Log) appendIndex() error {
	f, err := os.OpenFile(indexPath(l.path), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the log's times: %w", err)
	}
	_, err = f.Write(encode(nil, l.samples[len(l.samples)-1]))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write the log's times: %w", err)
	}
	return nil
}

// writeIndex replaces the index file. A first sample with time 0 holds the start.
func (l *Log) writeIndex() error {
	data := encode(nil, sample{size: l.start})
	for _, s := range l.samples {
		data = encode(data, s)
	}
	temporary := indexPath(l.path) + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("cannot write the log's times: %w", err)
	}
	if err := os.Rename(temporary, indexPath(l.path)); err != nil {
		return fmt.Errorf("cannot write the log's times: %w", err)
	}
	return nil
}

func encode(to []byte, s sample) []byte {
	to = binary.LittleEndian.AppendUint64(to, uint64(s.at))
	return binary.LittleEndian.AppendUint64(to, uint64(s.size))
}

// readIndex reads the samples beside a log. A damaged index only costs times.
func readIndex(path string) []sample {
	f, err := os.Open(indexPath(path))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, sampleSize*(maxSamples+2)))
	if err != nil {
		return nil
	}
	return decode(data)
}

// decode parses an index; what is not in ascending order is left out.
func decode(data []byte) []sample {
	var samples []sample
	for ; len(data) >= sampleSize; data = data[sampleSize:] {
		s := sample{at: int64(binary.LittleEndian.Uint64(data)), size: int64(binary.LittleEndian.Uint64(data[8:]))}
		if n := len(samples); s.size < 0 || (n > 0 && (s.size < samples[n-1].size || s.at < samples[n-1].at)) {
			continue
		}
		samples = append(samples, s)
	}
	return samples
}
