package segment

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// FS is the part of a file system that the log writes through, small enough to inject faults in tests.
type FS interface {
	// Open opens a file, creating it when create is set.
	Open(path string, create bool) (File, error)
	// Remove removes a file. After a crash it may be there again.
	Remove(path string) error
	// SyncDir makes the creation of files in a folder durable.
	SyncDir(path string) error
	// Free returns the bytes that can still be written to the file system of a folder.
	Free(path string) (int64, error)
}

// File is one open segment file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes the written bytes and the size durable.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// OS is the file system of the machine.
type OS struct{}

// Open implements FS.
func (OS) Open(path string, create bool) (File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (OS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// Free implements FS.
func (OS) Free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

type osFile struct{ *os.File }

// Sync uses fdatasync: it makes a changed size durable, but not the modification time.
func (f osFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
