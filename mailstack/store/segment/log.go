package segment

import (
	"fmt"
	"sync/atomic"
	"syscall"
)

// bufferBytes is how much is gathered before it is written; larger payloads are written directly.
const bufferBytes = 256 << 10

// Log is an open log. Append, Sync and End belong to one goroutine; the others may be called by all.
type Log struct {
	o       Options
	handles handles

	active File
	number uint32
	buf    []byte // not yet written, begins at end-len(buf)
	end    int64  // behind the last appended record
	synced int64  // behind the last durable record
	ahead  int64  // behind the zeros that were written ahead; without any not beyond end
	failed error

	sealed atomic.Uint32 // segments up to this one are not appended to any more
}

// End is the position behind the last record that was appended.
func (l *Log) End() Position { return Position{l.number, l.end} }

// Room tells whether so many more bytes can be appended with a reserve left free; if not, its error wraps syscall.ENOSPC.
func (l *Log) Room(bytes, reserve int64) error {
	free, err := l.o.FS.Free(l.o.Dir)
	if err != nil {
		return fmt.Errorf("cannot get the free space of the disk: %w", err)
	}
	if free-bytes < reserve {
		return fmt.Errorf("%d bytes are free, %d are kept in reserve: %w", free, reserve, syscall.ENOSPC)
	}
	return nil
}

// Append adds a record. It is durable only after Sync. When it fails, all records since the last Sync are
// gone; the log can still be used unless the error wraps ErrFailed.
func (l *Log) Append(r Record) (Ref, error) {
	if len(r.bytes) > MaxRecord {
		return Ref{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(r.bytes), MaxRecord)
	}
	if l.failed != nil {
		return Ref{}, l.failed
	}
	need := r.Size()
	if l.end > fileHeader && l.end+need > l.o.SegmentBytes {
		if err := l.roll(); err != nil {
			return Ref{}, err
		}
	}
	ref := r.ref()
	ref.Position = l.End()
	if len(l.buf) > 0 && int64(len(l.buf))+need > bufferBytes {
		if err := l.flush(nil); err != nil {
			return Ref{}, err
		}
	}
	l.buf = ref.appendHeader(l.buf)
	l.end += need
	if need > bufferBytes {
		return ref, l.flush(r.bytes)
	}
	l.buf = append(l.buf, r.bytes...)
	return ref, nil
}

// flush writes the buffer and then the payload of the record whose header ends the buffer.
func (l *Log) flush(payload []byte) error {
	at := l.end - int64(len(l.buf)) - int64(len(payload))
	err := writeFull(l.active, l.buf, at)
	if err == nil {
		err = writeFull(l.active, payload, at+int64(len(l.buf)))
	}
	l.buf = l.buf[:0]
	if err == nil {
		return nil
	}
	l.rollback()
	return fmt.Errorf("cannot write segment %d: %w", l.number, err)
}

// rollback takes back what was written since the last sync, so that a full disk gets its space back.
func (l *Log) rollback() {
	l.buf = l.buf[:0]
	l.end, l.ahead = l.synced, 0
	if err := l.active.Truncate(l.synced); err != nil {
		l.fail(err)
	}
}

// fail closes the log for writing. After a failed sync the kernel may have dropped the dirty pages, so
// trying again could report success for bytes that never reached the disk.
func (l *Log) fail(err error) {
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
}

// Sync makes all appended records durable.
func (l *Log) Sync() error { return l.sync(l.writeAhead) }

// sync writes what is left in the buffer, does what else is to become durable, and syncs.
func (l *Log) sync(also func()) error {
	if l.failed != nil {
		return l.failed
	}
	if len(l.buf) > 0 {
		if err := l.flush(nil); err != nil {
			return err
		}
	}
	if l.end == l.synced {
		return nil
	}
	also()
	if err := l.active.Sync(); err != nil {
		l.fail(err)
		return l.failed
	}
	l.synced = l.end
	return nil
}

// roll starts the next segment file. The old one is durable before the new one exists.
func (l *Log) roll() error {
	if err := l.sync(l.cutAhead); err != nil {
		return err
	}
	old := l.active
	if err := l.create(l.number + 1); err != nil {
		return err
	}
	// Its bytes are synced; closing cannot lose any.
	_ = old.Close()
	return nil
}

// create makes a new file with its header and its folder entry durable, and the active one.
func (l *Log) create(number uint32) error {
	path := l.path(number)
	f, err := l.o.FS.Open(path, true)
	if err != nil {
		return fmt.Errorf("cannot create segment %d: %w", number, err)
	}
	err = writeFull(f, appendFileHeader(nil, number), 0)
	if err == nil {
		if err = f.Sync(); err == nil {
			err = l.o.FS.SyncDir(l.o.Dir)
		}
		if err != nil {
			l.fail(err)
		}
	}
	if err != nil {
		f.Close()
		// Nothing refers to it: the next attempt makes it anew.
		_ = l.o.FS.Remove(path)
		return fmt.Errorf("cannot create segment %d: %w", number, err)
	}
	l.activate(f, number, fileHeader)
	return nil
}

// activate makes a file that is durable up to its end the one that is appended to.
func (l *Log) activate(f File, number uint32, end int64) {
	l.active, l.number, l.end, l.synced, l.ahead = f, number, end, end, 0
	l.sealed.Store(number - 1)
}

// Close closes the log without syncing: what was not synced was not acknowledged.
func (l *Log) Close() error {
	if l.failed == nil {
		l.cutAhead()
	}
	l.failed = fmt.Errorf("%w: closed", ErrFailed)
	l.handles.close()
	return l.active.Close()
}

func writeFull(f File, b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := f.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = fmt.Errorf("wrote %d of %d bytes", n, len(b))
	}
	return err
}
